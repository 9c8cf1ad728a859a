import { describe, expect, test } from 'vitest';
import { toEngineError } from '../../../src/engine/docker/errors.ts';
import { LurkboxError, type LurkboxErrorCode } from '../../../src/errors.ts';

/** An error as dockerode makes it from a reply of the engine. */
function reply(statusCode: number, message: string): Error {
  return Object.assign(new Error(`(HTTP code ${statusCode}) unexpected - ${message}`), {
    statusCode,
    reason: 'unexpected',
    json: { message },
  });
}

function systemError(code: string): Error {
  return Object.assign(new Error(`connect ${code} /var/run/docker.sock`), { code });
}

const toCode = (error: unknown): LurkboxErrorCode =>
  toEngineError('create a container', 'unix:///e.sock', error).code;

describe('an error of the engine becomes', () => {
  test.each<[LurkboxErrorCode, Error]>([
    ['ENGINE_UNAVAILABLE', systemError('ENOENT')],
    ['ENGINE_UNAVAILABLE', systemError('ECONNREFUSED')],
    ['ENGINE_UNAVAILABLE', systemError('EACCES')],
    ['ENGINE_UNAVAILABLE', systemError('ENOTFOUND')],
    ['ENGINE_UNAVAILABLE', Object.assign(systemError('EAGAIN'), { syscall: 'connect' })],
    ['ENGINE_UNAVAILABLE', Object.assign(systemError('EAI_AGAIN'), { syscall: 'getaddrinfo' })],
    ['HOST_RESOURCES', Object.assign(systemError('EMFILE'), { syscall: 'connect' })],
    ['ENGINE_LOST', systemError('ECONNRESET')],
    ['ENGINE_LOST', systemError('EPIPE')],
    ['ENGINE_LOST', new Error('socket hang up')],
    ['ENGINE_LOST', new DOMException('This operation was aborted', 'AbortError')],
    ['IMAGE_MISSING', reply(404, 'No such image: sha256:c0de')],
    ['IMAGE_MISSING', reply(404, 'No such image: lurkbox/base:1')],
    ['CONTAINER_VANISHED', reply(404, 'No such container: 0a1b')],
    ['CONTAINER_VANISHED', reply(404, 'network lurkbox-1 not found')],
    ['RUNTIME_UNAVAILABLE', reply(400, 'Unknown runtime specified runsc')],
    ['RUNTIME_UNAVAILABLE', reply(400, 'unknown or invalid runtime name: runsc')],
    [
      'RUNTIME_UNAVAILABLE',
      reply(
        400,
        'failed to create shim task: OCI runtime create failed: unable to retrieve OCI runtime error (open /run/x/log.json: ' +
          'no such file or directory): fork/exec /no/such/runtime: no such file or directory: unknown',
      ),
    ],
    [
      'RUNTIME_UNAVAILABLE',
      reply(
        500,
        'OCI runtime create failed: /bin/false did not terminate successfully: exit status 1: unknown',
      ),
    ],
    [
      'RUNTIME_UNAVAILABLE',
      reply(
        400,
        'failed to start shim: failed to resolve runtime path: runtime "io.containerd.kata.v2" binary not installed ' +
          '"containerd-shim-kata-v2": file does not exist: unknown',
      ),
    ],
    [
      'RUNTIME_UNAVAILABLE',
      reply(500, 'OCI runtime start failed: cannot run with network enabled in root network namespace'),
    ],
    [
      'ENGINE_INSECURE',
      reply(
        500,
        'OCI runtime create failed: cgroups in hybrid mode not supported, drop all controllers: unknown',
      ),
    ],
    ['HOST_RESOURCES', reply(500, 'write /var/lib/docker/x: no space left on device')],
    ['HOST_RESOURCES', reply(500, 'fork/exec /usr/bin/runc: resource temporarily unavailable')],
    ['HOST_RESOURCES', reply(500, 'fork/exec /usr/bin/runc: cannot allocate memory: unknown')],
    ['HOST_RESOURCES', reply(500, 'open /proc/self/fd: too many open files')],
    [
      'HOST_RESOURCES',
      reply(500, 'could not find an available, non-overlapping IPv4 address pool among the defaults'),
    ],
    ['HOST_RESOURCES', reply(500, 'all predefined address pools have been fully subnetted')],
    ['HOST_RESOURCES', reply(500, "no available IPv4 addresses on this network's address pools: x")],
    ['HOST_RESOURCES', reply(500, 'adding interface veth1 to bridge br-1 failed: exchange full')],
    [
      'ENGINE_INSECURE',
      reply(500, 'OCI runtime create failed: error loading seccomp filter: invalid argument'),
    ],
    [
      'ENGINE_INSECURE',
      reply(400, 'NanoCPUs can not be set, as your kernel does not support CPU CFS scheduler'),
    ],
    ['ENGINE_INSECURE', reply(500, 'cgroups: cgroup mountpoint does not exist: unknown')],
    ['ENGINE_ERROR', reply(409, 'Conflict. The container name "/lurkbox-1" is already in use')],
    [
      'ENGINE_ERROR',
      reply(400, 'invalid mount config for type "bind": bind source path does not exist: /srv/data'),
    ],
    ['ENGINE_LOST', reply(500, 'something nobody has seen before')],
    ['ENGINE_LOST', reply(503, 'Service Unavailable')],
    ['ENGINE_LOST', reply(304, 'container already started')],
    [
      'ENGINE_LOST',
      Object.assign(new Error('Parse Error: Expected HTTP/'), { code: 'HPE_INVALID_CONSTANT' }),
    ],
    ['ENGINE_LOST', Object.assign(new Error('<html>'), { code: 'NOT_AN_ENGINE' })],
    ['ENGINE_UNAVAILABLE', reply(403, 'Forbidden')],
    ['ENGINE_UNAVAILABLE', reply(401, 'Unauthorized')],
    [
      'ENGINE_UNAVAILABLE',
      reply(400, 'client version 1.41 is too old. Minimum supported API version is 1.44'),
    ],
    [
      'ENGINE_UNAVAILABLE',
      reply(400, 'client version 1.52 is too new. Maximum supported API version is 1.41'),
    ],
    ['ENGINE_ERROR', reply(418, 'short and stout')],
    ['ENGINE_ERROR', new Error('')],
  ])('%s: %s', (code, error) => {
    expect(toCode(error)).toBe(code);
  });

  test.each([undefined, null, 'text', 42, {}])('`ENGINE_ERROR` from a thrown %j', (thrown) => {
    expect(toCode(thrown)).toBe('ENGINE_ERROR');
  });
});

test('the message says what was done, where, what the engine answered and what to do', () => {
  const { message } = toEngineError('create a container', 'unix:///e.sock', reply(404, 'No such image: x'));
  expect(message).toBe(
    'Could not create a container: the engine at unix:///e.sock said: No such image: x. ' +
      'Build it again with `lurkbox image build`.',
  );
});

test.each([
  ['that failed is not there', reply(500, 'no')],
  ['that lost the connection is not there', systemError('ECONNRESET')],
  ['that makes no sense is not there', new Error('')],
])('the request for the facts of an engine %s', (_title, error) => {
  expect(toEngineError('ask the engine what it is', 'e', error).code).toBe('ENGINE_UNAVAILABLE');
});

test('the message of the engine is passed on without the prefix of its client', () => {
  const error = Object.assign(new Error('(HTTP code 404) no such container - page not found '), {
    statusCode: 404,
  });
  const { code, message } = toEngineError('start a container', 'e', error);
  expect([code, message]).toEqual([
    'CONTAINER_VANISHED',
    'Could not start a container: the engine at e said: page not found. ' +
      'Somebody else removed it. Leave what carries the label `lurkbox.kind` alone.',
  ]);
});

test('a long message of the engine is cut', () => {
  const { message } = toEngineError('create a container', 'e', reply(500, 'x'.repeat(100_000)));
  expect(message.length).toBeLessThan(700);
});

test('the original error is the `cause`', () => {
  const cause = systemError('ENOENT');
  expect(toEngineError('list containers', 'e', cause).cause).toBe(cause);
});

test('an error of lurkbox is passed on unchanged', () => {
  const error = new LurkboxError('ENGINE_TIMEOUT', 'x');
  expect(toEngineError('list containers', 'e', error)).toBe(error);
});
