import { Readable } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import { describe, expect, test, vi } from 'vitest';
import { connectEngine } from '../../../src/engine/docker/connect.ts';
import type { ContainerEngine } from '../../../src/engine/engine.ts';
import { type Answers, json, serveBytes, serveEngine } from '../../helpers/engine-server.ts';
import { countResources, findLeakedResources } from '../../helpers/host-watch.ts';

const VERSION = { ApiVersion: '1.41', MinAPIVersion: '1.12' };

/** An engine whose version is known, and the rest is as the test says. */
const knowing =
  (answers: Answers): Answers =>
  (call, response, request) =>
    call === 'GET /version' ? json(response, VERSION) : answers(call, response, request);

const CALLS: [string, (engine: ContainerEngine) => Promise<unknown>][] = [
  ['what it is', (engine) => engine.facts()],
  ['an image', (engine) => engine.inspectImage('x')],
  ['containers', (engine) => engine.listContainers('x')],
  ['networks', (engine) => engine.listNetworks('x')],
  ['a start', (engine) => engine.startContainer('x')],
  ['the exit of a container', (engine) => engine.containerExit('x')],
  ['a new network', (engine) => engine.createNetwork('x', {})],
];

describe('an answer that is cut off', () => {
  test.each(CALLS)('counts at once as a lost engine: %s', async (_title, call) => {
    await using server = await serveEngine(
      knowing((_call, response) => {
        response.writeHead(200, { 'content-type': 'application/json', 'content-length': '1000' });
        response.write('{"Id":"abc",');
        setTimeout(() => response.destroy(), 50);
      }),
    );
    const engine = await connectEngine({ env: server.env });
    await expect(atOnce(call(engine))).rejects.toMatchObject({
      code: expect.stringMatching(/^ENGINE_(LOST|UNAVAILABLE)$/),
      message: expect.stringContaining('look at its log'),
    });
  });
});

describe('an answer that is not JSON', () => {
  test.each(CALLS)('is not accepted as that of an engine: %s', async (_title, call) => {
    await using server = await serveEngine(
      knowing((_call, response) => void response.writeHead(200).end('<html>please log in</html>')),
    );
    const engine = await connectEngine({ env: server.env });
    await expect(call(engine)).rejects.toMatchObject({
      code: expect.stringMatching(/^ENGINE_(LOST|UNAVAILABLE)$/),
      message: expect.stringMatching(/<html>please log in.* before it/),
    });
  });

  test('is not remembered as the facts of the engine', async () => {
    await using server = await serveEngine(knowing((_call, response) => void response.end('<html>')));
    const engine = await connectEngine({ env: server.env });
    await expect(engine.facts()).rejects.toMatchObject({ code: 'ENGINE_UNAVAILABLE' });
    server.answers = knowing((_call, response) => json(response, { ID: 'X' }));
    await expect(engine.facts()).resolves.toMatchObject({ id: 'X' });
  });
});

describe('a call that the engine does not answer', () => {
  test.each<[string, (engine: ContainerEngine) => Promise<unknown>]>([
    ...CALLS,
    ['an archive', (engine) => engine.exportImage('x')],
    ['an archive that is loaded', (engine) => engine.loadImage(Readable.from(['x']))],
    ['the removal of an image', (engine) => engine.removeImage('x')],
    ['the removal of a container', (engine) => engine.removeContainer('x')],
  ])('is ended at its deadline, and does not keep the process alive: %s', async (_title, call) => {
    await using server = await serveEngine(knowing(() => {}));
    const engine = await connectEngine({ env: server.env });
    const before = countResources();
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    try {
      const answer = expect(call(engine)).rejects.toMatchObject({ code: 'ENGINE_TIMEOUT' });
      await vi.waitFor(() => expect(server.calls.length).toBeGreaterThan(2), { interval: 5 });
      await vi.advanceTimersByTimeAsync(300_000);
      await answer;
    } finally {
      vi.useRealTimers();
    }
    expect(await findLeakedResources(before)).toEqual([]);
  });
});

describe('an archive', () => {
  test('that stops coming is given up', async () => {
    const timeout = AbortSignal.timeout;
    const spy = vi.spyOn(AbortSignal, 'timeout').mockImplementation(() => timeout.call(AbortSignal, 200));
    await using server = await serveEngine(knowing((_call, response) => void response.write('half')));
    try {
      // The search for an engine has such a deadline as well.
      const engine = await connectEngine({ env: server.env });
      const archive = await engine.exportImage('x');
      await expect(atOnce(archive.toArray())).rejects.toThrow(/abort/);
    } finally {
      spy.mockRestore();
    }
  });

  test.each([
    ['no space left on device', 'HOST_RESOURCES'],
    ['unexpected EOF', 'IMAGE_BUILD_FAILED'],
  ])('that the engine refuses with `%s` is %s', async (error, code) => {
    await using server = await serveEngine(
      knowing((_call, response) => void response.end(JSON.stringify({ errorDetail: {}, error }))),
    );
    const engine = await connectEngine({ env: server.env });
    const archive = Readable.from(['x']);
    await expect(engine.loadImage(archive)).rejects.toMatchObject({
      code,
      message: expect.stringContaining(error),
    });
    expect(archive.destroyed).toBe(true);
  });
});

describe('attaching', () => {
  test('fails at once when the answer has no stream', async () => {
    await using server = await serveEngine(knowing((_call, response) => void response.end('no stream')));
    const engine = await connectEngine({ env: server.env });
    await expect(atOnce(engine.attachContainer('x'))).rejects.toMatchObject({
      code: 'ENGINE_LOST',
      message: expect.stringContaining('no stream'),
    });
  });
});

describe('the exit of a container', () => {
  const STATE = {
    Status: 'exited',
    Running: false,
    ExitCode: 137,
    OOMKilled: false,
    Error: '',
    StartedAt: '2026-01-01T00:00:00.5Z',
    FinishedAt: '2026-01-01T00:00:02.123456789Z',
  };

  test.each<[string, boolean, Partial<typeof STATE>, string[] | number]>([
    ['of a container that the engine was asked to kill', true, {}, ['start', 'kill', 'die']],
    ['that an engine does not remember, which was restarted then', true, { ExitCode: 255 }, []],
    ['of a container that runs again', true, { Status: 'running', Running: true, ExitCode: 0 }, []],
    ['of a process that killed itself', false, {}, ['start', 'die']],
    ['with 255 of its own', false, { ExitCode: 255 }, ['die']],
    ['with another code', false, { ExitCode: 1 }, ['kill', 'die']],
    ['for want of memory', false, { OOMKilled: true }, ['kill', 'die']],
    ['whose events nobody may read', false, {}, 403],
  ])('%s is blamed on the engine: %s', async (_title, endedByEngine, state, events) => {
    let asked = 0;
    await using server = await serveEngine(
      knowing((call, response, request) => {
        if (call === 'GET /containers/x/json') return json(response, { State: { ...STATE, ...state } });
        if (typeof events === 'number') return json(response, { message: 'Forbidden' }, events);
        const query = new URL(request.url ?? '', 'http://e').searchParams;
        expect(query.get('since')).toBe('1767225600.5');
        // Where its end is not told of yet, once more with more patience.
        expect(query.get('until')).toBe(asked++ === 0 ? '1767225602.373' : '1767225604.623');
        response.end(events.map((Action) => `${JSON.stringify({ Action })}\n`).join(''));
      }),
    );
    const engine = await connectEngine({ env: server.env });
    await expect(engine.containerExit('x')).resolves.toMatchObject({ endedByEngine });
  });

  test('whose record comes late, because its output was not read, is not blamed on the engine', async () => {
    const records = [['start'], ['start', 'die']];
    await using server = await serveEngine(
      knowing((call, response) => {
        if (call === 'GET /containers/x/json') return json(response, { State: STATE });
        response.end((records.shift() ?? []).map((Action) => `${JSON.stringify({ Action })}\n`).join(''));
      }),
    );
    const engine = await connectEngine({ env: server.env });
    await expect(engine.containerExit('x')).resolves.toMatchObject({ endedByEngine: false });
    expect(records).toEqual([]);
  });

  test('that is in doubt is looked up, whatever its code', async () => {
    await using server = await serveEngine(
      knowing((call, response) => {
        if (call === 'GET /containers/x/json') return json(response, { State: { ...STATE, ExitCode: 0 } });
        response.end(`${JSON.stringify({ Action: 'kill' })}\n`);
      }),
    );
    const engine = await connectEngine({ env: server.env });
    await expect(engine.containerExit('x')).resolves.toMatchObject({ endedByEngine: false });
    await expect(engine.containerExit('x', { isInDoubt: true })).resolves.toMatchObject({
      endedByEngine: true,
    });
  });

  test('is lost with an engine that goes away', async () => {
    await using server = await serveEngine(
      knowing((call, response) => {
        if (call === 'GET /containers/x/json') json(response, { State: STATE });
        else response.destroy();
      }),
    );
    const engine = await connectEngine({ env: server.env });
    await expect(engine.containerExit('x')).rejects.toMatchObject({ code: 'ENGINE_LOST' });
  });
});

describe('removing', () => {
  test('a container that stays fails at once instead of retrying for ever', async () => {
    await using server = await serveEngine(
      knowing((call, response) => {
        if (call === 'DELETE /containers/x') json(response, { message: 'removal of x is in progress' }, 409);
        else if (call === 'POST /containers/x/wait')
          json(response, { StatusCode: -1, Error: { Message: 'no' } });
        else json(response, { Id: 'x', State: { Status: 'dead' } });
      }),
    );
    const engine = await connectEngine({ env: server.env });
    await expect(atOnce(engine.removeContainer('x'))).rejects.toMatchObject({
      message: expect.stringContaining('still there'),
    });
    expect(server.calls.filter((call) => call.includes('/wait'))).toHaveLength(1);
  });

  test('a container that is being removed by another process waits for that', async () => {
    let isThere = true;
    await using server = await serveEngine(
      knowing(async (call, response) => {
        if (call === 'DELETE /containers/x') json(response, { message: 'in progress' }, 409);
        else if (call === 'POST /containers/x/wait') {
          await delay(50);
          isThere = false;
          json(response, { StatusCode: 137 });
        } else if (isThere) json(response, { Id: 'x' });
        else json(response, { message: 'No such container: x' }, 404);
      }),
    );
    const engine = await connectEngine({ env: server.env });
    await engine.removeContainer('x');
    expect(isThere).toBe(false);
  });
});

describe('an engine that is replaced by another', () => {
  test('is asked for its version again when it refuses the agreed one', async () => {
    await using server = await serveEngine((call, response) => {
      if (call === 'GET /version') json(response, VERSION);
      else json(response, []);
    });
    const engine = await connectEngine({ env: server.env });
    await engine.listContainers('x');
    server.answers = (call, response, request) => {
      if (call === 'GET /version') json(response, { ApiVersion: '1.52', MinAPIVersion: '1.44' });
      else if (request.url?.startsWith('/v1.44/')) json(response, []);
      else {
        const message =
          'client version 1.41 is too old. Minimum supported API version is 1.44, please upgrade';
        json(response, { message }, 400);
      }
    };
    await expect(engine.listContainers('x')).rejects.toMatchObject({ code: 'ENGINE_UNAVAILABLE' });
    await expect(engine.listContainers('x')).resolves.toEqual([]);
    expect(server.calls.at(-1)).toContain('/v1.44/');
  });

  test('is asked again what it can enforce after an unanswered call', async () => {
    let name = 'one';
    await using server = await serveEngine(
      knowing((call, response) => {
        if (call === 'GET /info') json(response, { ID: name });
        else response.destroy();
      }),
    );
    const engine = await connectEngine({ env: server.env });
    expect((await engine.facts()).id).toBe('one');
    name = 'two';
    expect((await engine.facts()).id).toBe('one');
    await expect(engine.listContainers('x')).rejects.toMatchObject({ code: 'ENGINE_LOST' });
    expect((await engine.facts()).id).toBe('two');
  });

  test('is also asked again after a while', async () => {
    let name = 'one';
    await using server = await serveEngine(knowing((_call, response) => json(response, { ID: name })));
    const engine = await connectEngine({ env: server.env });
    expect((await engine.facts()).id).toBe('one');
    name = 'two';
    const now = performance.now.bind(performance);
    const clock = vi.spyOn(performance, 'now').mockImplementation(() => now() + 11_000);
    try {
      expect((await engine.facts()).id).toBe('two');
    } finally {
      clock.mockRestore();
    }
  });
});

test('the usage of a container is read without asking the engine, which may hang', async () => {
  await using server = await serveEngine(knowing((_call, response) => json(response, { ID: 'one' })));
  const engine = await connectEngine({ env: server.env });
  await engine.facts();
  server.answers = () => {};
  const now = performance.now.bind(performance);
  const clock = vi.spyOn(performance, 'now').mockImplementation(() => now() + 60_000);
  try {
    const usage = await atOnce(engine.containerUsage('none'));
    expect(usage).toEqual({ peakMemoryBytes: null, cpuTimeMs: null });
  } finally {
    clock.mockRestore();
  }
});

describe('a server that is not an engine', () => {
  test.each<[string, Parameters<typeof serveBytes>[0], RegExp]>([
    ['closes at once', (socket) => socket.destroy(), /closed without an answer/],
    ['never answers', () => {}, /no answer within 3 s/],
    ['speaks something else', (socket) => socket.end('SSH-2.0-OpenSSH_9.2\r\n'), /not in HTTP/],
    [
      'answers without an end',
      (socket) => void socket.write(`HTTP/1.1 200 OK\r\n\r\n${'x'.repeat(5_000)}`),
      /not a Docker engine/,
    ],
    [
      'stops in the middle',
      (socket) => void socket.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nO'),
      /no answer within 3 s/,
    ],
    [
      'is a web server',
      (socket) => socket.end('HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n'),
      /HTTP 404/,
    ],
  ])('%s, and is recognized in time', { timeout: 10_000 }, async (_title, onConnection, message) => {
    await using server = await serveBytes(onConnection);
    await expect(connectEngine({ env: server.env })).rejects.toMatchObject({
      code: 'ENGINE_UNAVAILABLE',
      message: expect.stringMatching(message),
    });
  });
});

/** Fails when the answer takes as long as a deadline. */
async function atOnce<T>(answer: Promise<T>): Promise<T> {
  const late = delay(3_000, undefined, { ref: false }).then(() => {
    throw new Error('no answer within 3 s');
  });
  return Promise.race([answer, late]);
}
