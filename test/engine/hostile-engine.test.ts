import type http from 'node:http';
import { Readable } from 'node:stream';
import { describe, expect, test } from 'vitest';
import { upTo } from '../../src/engine/docker/calls.ts';
import { connectEngine } from '../../src/engine/docker/connect.ts';
import type { ContainerEngine } from '../../src/engine/engine.ts';
import { type Answers, json, serveEngine } from '../helpers/engine-server.ts';
import { watchHost } from '../helpers/host-watch.ts';

const MIB = 1024 * 1024;
/** What reading an answer may cost at most, the server of the test in the same process included. */
const MOST_GROWTH_BYTES = 256 * MIB;

const CALLS: [string, (engine: ContainerEngine) => Promise<unknown>][] = [
  ['what it is', (engine) => engine.facts()],
  ['an image', (engine) => engine.inspectImage('x')],
  ['images', (engine) => engine.listImages('x')],
  ['containers', (engine) => engine.listContainers('x')],
  ['networks', (engine) => engine.listNetworks('x')],
  ['an exit', (engine) => engine.containerExit('x')],
  ['a start', (engine) => engine.startContainer('x')],
  ['a new network', (engine) => engine.createNetwork('x', {})],
];

describe('an endless answer of an engine (P10)', () => {
  test.each(CALLS)('is given up at a limit, and does not fill the memory: %s', async (_, call) => {
    await using server = await serveEngine(knowing((_call, response) => flood(response, 200)));
    const engine = await connectEngine({ env: server.env });
    const { value, cost } = await watchHost(() => failureOf(call(engine)));
    expect(value.code).toMatch(/^ENGINE_(LOST|UNAVAILABLE)$/);
    expect(value.message).toContain('more than 33554432 bytes');
    expect(cost.memoryGrowthBytes).toBeLessThan(MOST_GROWTH_BYTES);
  });

  test.each(CALLS)('is also given up when it is a refusal: %s', async (_, call) => {
    await using server = await serveEngine(knowing((_call, response) => flood(response, 500)));
    const engine = await connectEngine({ env: server.env });
    const { value, cost } = await watchHost(() => failureOf(call(engine)));
    expect(value.message).toContain('more than 65536 bytes');
    expect(cost.memoryGrowthBytes).toBeLessThan(MOST_GROWTH_BYTES);
  });

  test('is given up when the engine is identified', async () => {
    await using server = await serveEngine((_call, response) => flood(response, 200));
    const { value, cost } = await watchHost(() => failureOf(connectEngine({ env: server.env })));
    expect(value).toMatchObject({ code: 'ENGINE_UNAVAILABLE' });
    expect(value.message).toContain('more than 33554432 bytes');
    expect(cost.memoryGrowthBytes).toBeLessThan(MOST_GROWTH_BYTES);
  });

  test('is given up while an image is loaded', async () => {
    await using server = await serveEngine(
      knowing((_call, response, request) => {
        request.resume();
        flood(response, 200);
      }),
    );
    const engine = await connectEngine({ env: server.env });
    const failure = await failureOf(engine.loadImage(Readable.from(['archive'])));
    expect(failure.message).toContain('bytes of progress');
  });

  test('is given up while an archive is read', async () => {
    const source = Readable.from(endlessly(Buffer.alloc(64 * 1024)), { objectMode: false });
    let bytes = 0;
    const reading = (async () => {
      for await (const chunk of upTo(MIB, source)) bytes += (chunk as Buffer).length;
    })();
    await expect(reading).rejects.toThrow('more than 1048576 bytes');
    expect(bytes).toBeLessThanOrEqual(MIB);
    expect(source.destroyed).toBe(true);
  });
});

test('an answer in pieces of one byte costs no more than its length (P10)', async () => {
  await using server = await serveEngine(
    knowing((_call, response) => {
      response.writeHead(200, { 'content-type': 'application/json' });
      response.socket?.setNoDelay(false);
      const text = JSON.stringify([
        { Id: 'x'.repeat(200_000), Names: [], Labels: {}, State: '', Created: 0 },
      ]);
      for (const character of text) response.write(character);
      response.end();
    }),
  );
  const engine = await connectEngine({ env: server.env });
  const [container] = await engine.listContainers('x');
  expect(container?.id).toHaveLength(200_000);
});

test('endless headers are not accepted as those of an engine (P10)', async () => {
  await using server = await serveEngine(
    knowing((_call, response) => {
      for (let header = 0; header < 900; header++) response.setHeader(`x-${header}`, 'x'.repeat(1_000));
      response.end('{}');
    }),
  );
  const engine = await connectEngine({ env: server.env });
  expect((await failureOf(engine.facts())).code).toBe('ENGINE_UNAVAILABLE');
});

test('ten thousand foreign containers are listed quickly, whatever their labels hold', async () => {
  const labels = { note: 'x'.repeat(1_000) };
  const all = Array.from({ length: 10_000 }, (_, index) => ({
    Id: String(index),
    Names: [`/c${index}`],
    Labels: labels,
    State: 'exited',
    Created: 0,
  }));
  await using server = await serveEngine(knowing((_call, response) => json(response, all)));
  const engine = await connectEngine({ env: server.env });
  const { value, cost } = await watchHost(() => engine.listContainers('x'));
  expect(value).toHaveLength(10_000);
  expect(cost.memoryGrowthBytes).toBeLessThan(MOST_GROWTH_BYTES);
});

describe('text of an engine has its control characters and line ends escaped (P10)', () => {
  const FORGED = 'no\nlurkbox: all is well \u001b[2J\u202e';

  test('in the reason of a refusal, which is also cut', async () => {
    const message = FORGED + 'x'.repeat(10_000);
    await using server = await serveEngine(knowing((_call, response) => json(response, { message }, 500)));
    const engine = await connectEngine({ env: server.env });
    expectHarmless((await failureOf(engine.startContainer('x'))).message);
  });

  test('in a reason that is not JSON', async () => {
    await using server = await serveEngine(
      knowing((_call, response) => void response.writeHead(500).end(FORGED)),
    );
    const engine = await connectEngine({ env: server.env });
    expectHarmless((await failureOf(engine.startContainer('x'))).message);
  });

  test('in the reason for refusing an image', async () => {
    await using server = await serveEngine(
      knowing((_call, response, request) => {
        request.resume();
        response.end(`${JSON.stringify({ stream: 'ok' })}\n{"error":"bad \u001b[2J${'x'.repeat(5_000)}"}\n`);
      }),
    );
    const engine = await connectEngine({ env: server.env });
    expectHarmless((await failureOf(engine.loadImage(Readable.from(['archive'])))).message);
  });

  test('in its warnings and names', async () => {
    const info = {
      ID: FORGED,
      ServerVersion: FORGED.repeat(100),
      OperatingSystem: FORGED,
      DefaultRuntime: FORGED,
      Runtimes: { [FORGED]: { path: 'runc' } },
      Warnings: Array.from({ length: 1_000 }, () => FORGED),
    };
    await using server = await serveEngine(knowing((_call, response) => json(response, info)));
    const engine = await connectEngine({ env: server.env });
    const facts = await engine.facts();
    expect(facts.warnings).toHaveLength(20);
    const texts = [facts.id, facts.version, facts.operatingSystem, facts.defaultRuntime, ...facts.warnings];
    for (const text of [...texts, ...Object.keys(facts.runtimes)]) expectHarmless(text);
  });
});

function expectHarmless(text: string): void {
  expect(text).not.toMatch(/[\n\u001b\u202e]/);
  expect(text.length).toBeLessThan(2_000);
}

/** An engine whose version is known, and the rest is as the test says. */
function knowing(answers: Answers): Answers {
  return (call, response, request) =>
    call === 'GET /version'
      ? json(response, { ApiVersion: '1.41', MinAPIVersion: '1.12' })
      : answers(call, response, request);
}

/** Writes as long as somebody reads. */
function flood(response: http.ServerResponse, status: number): void {
  response.writeHead(status, { 'content-type': 'application/json' });
  Readable.from(endlessly(Buffer.alloc(64 * 1024, '[')), { objectMode: false })
    .on('error', () => {})
    .pipe(response);
}

function* endlessly(chunk: Buffer): Generator<Buffer> {
  for (;;) yield chunk;
}

async function failureOf(promise: Promise<unknown>): Promise<Error & { code?: string }> {
  return promise.then(
    () => expect.fail('it did not fail'),
    (error) => error,
  );
}
