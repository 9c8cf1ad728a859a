import { describe, expect, test } from 'vitest';
import { toEngineError } from '../../src/engine/errors.ts';
import { LurkboxError, type LurkboxErrorCode } from '../../src/errors.ts';

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

describe('becomes', () => {
  test.each<[LurkboxErrorCode, Error]>([
    ['ENGINE_UNAVAILABLE', systemError('ENOENT')],
    ['ENGINE_UNAVAILABLE', systemError('ECONNREFUSED')],
    ['ENGINE_UNAVAILABLE', systemError('EACCES')],
    ['ENGINE_UNAVAILABLE', systemError('ENOTFOUND')],
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
    ['HOST_RESOURCES', reply(500, 'write /var/lib/docker/x: no space left on device')],
    ['HOST_RESOURCES', reply(500, 'fork/exec /usr/bin/runc: resource temporarily unavailable')],
    ['HOST_RESOURCES', reply(500, 'fork/exec /usr/bin/runc: cannot allocate memory: unknown')],
    ['HOST_RESOURCES', reply(500, 'open /proc/self/fd: too many open files')],
    [
      'HOST_RESOURCES',
      reply(500, 'could not find an available, non-overlapping IPv4 address pool among the defaults'),
    ],
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
    ['ENGINE_ERROR', reply(500, 'something nobody has seen before')],
    ['ENGINE_ERROR', new Error('')],
  ])('%s: %s', (code, error) => {
    expect(toCode(error)).toBe(code);
  });

  test.each([undefined, null, 'text', 42, {}])('`ENGINE_ERROR` from a thrown %j', (thrown) => {
    expect(toCode(thrown)).toBe('ENGINE_ERROR');
  });
});

test('the message says what was done, where, what the engine said and what to do', () => {
  const { message } = toEngineError('create a container', 'unix:///e.sock', reply(404, 'No such image: x'));
  expect(message).toBe(
    'Could not create a container: the engine at unix:///e.sock said: No such image: x. ' +
      'Build it again with `lurkbox image build`.',
  );
});

test('the words of the engine are cut', () => {
  const { message } = toEngineError('create a container', 'e', reply(500, 'x'.repeat(100_000)));
  expect(message.length).toBeLessThan(700);
});

test('the first error is kept as the cause', () => {
  const cause = systemError('ENOENT');
  expect(toEngineError('list containers', 'e', cause).cause).toBe(cause);
});

test('an error of ours is left as it is', () => {
  const error = new LurkboxError('ENGINE_TIMEOUT', 'x');
  expect(toEngineError('list containers', 'e', error)).toBe(error);
});
