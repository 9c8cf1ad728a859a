import { setTimeout as delay } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { Stopwatch } from '../../../src/calls/stopwatch.ts';
import { SILENT_LOGGER } from '../../../src/logger.ts';
import { frameRecord } from '../../../src/protocol/framing.ts';
import { toOutputEnd } from '../../../src/protocol/messages.ts';
import { Container } from '../../../src/sandboxes/container/container.ts';
import type { ContainerPlan } from '../../../src/sandboxes/container/container-plan.ts';
import { Execution } from '../../../src/sandboxes/container/execution.ts';
import { IdleContainer } from '../../../src/sandboxes/pool/idle-container.ts';
import { type FakeContainer, FakeEngine } from '../../helpers/fake-engine.ts';
import { GRANT, IMAGE } from '../../spec/sample.ts';

const PLAN: Omit<ContainerPlan, 'engine' | 'id'> = {
  grant: GRANT,
  image: IMAGE,
  entryPoint: 'index.js',
  version: '1.0.0',
  ownerLabels: { 'lurkbox.instance': 'i-1' },
  logger: SILENT_LOGGER,
  onSuspicion: () => {},
};
const UNKNOWN = { code: -32601, message: 'the host has no such method' };
const NOT_SERVED = { code: -32010, message: expect.stringMatching(/serves no request now/) };

function execute(engine: FakeEngine, timeoutMs = GRANT.timeoutMs): Execution {
  return new Execution({
    container: (user) => new Container({ ...PLAN, engine, id: 'e1' }, user),
    kind: 'cold',
    timeoutMs,
    context: {
      executionId: 'e1',
      userId: null,
      channelId: null,
      sessionId: null,
      inputData: null,
      parameters: {},
      environment: {},
      config: {},
    },
    stopwatch: new Stopwatch(),
    signal: undefined,
    onProgress: undefined,
    onLost: () => {},
    logger: SILENT_LOGGER,
  });
}

/** As a plugin does that writes to its stdout itself. */
function ask(container: FakeContainer, id: number, method: string): void {
  container.print(frameRecord(JSON.stringify({ jsonrpc: '2.0', id, method })));
}

async function oneReplyTo(container: FakeContainer): Promise<object[]> {
  while (repliesTo(container).length === 0) await delay(1);
  return repliesTo(container);
}

/** What the container has received that is no request of the host. */
function repliesTo({ received }: FakeContainer): object[] {
  return received.filter(({ method }) => method === undefined);
}

test('an unknown method is answered with an error, and the call goes on', async () => {
  const engine = new FakeEngine(async (container) => {
    container.ready();
    await container.executed;
    ask(container, 7, 'fetch');
    container.answer(await oneReplyTo(container));
  });
  const { outcome, result } = (await execute(engine).ending) as { outcome: string; result: unknown };
  expect(outcome).toBe('OK');
  expect(result).toEqual([{ jsonrpc: '2.0', id: 7, error: UNKNOWN }]);
});

test('an invalid request is answered with an error too', async () => {
  const engine = new FakeEngine(async (container) => {
    container.ready();
    await container.executed;
    container.print(frameRecord('{"jsonrpc":"2.0","id":"seven","method":"fetch"}'));
    container.answer(await oneReplyTo(container));
  });
  expect(await execute(engine).ending).toMatchObject({
    outcome: 'OK',
    result: [{ id: null, error: { code: -32600 } }],
  });
});

test('a request before `ready` breaks the protocol', async () => {
  const engine = new FakeEngine((container) => ask(container, 7, 'fetch'));
  expect(await execute(engine).ending).toMatchObject({
    outcome: 'PROTOCOL_ERROR',
    error: { message: expect.stringContaining('a request came before `ready`') },
  });
});

test('requests count as output, like every record (P5)', async () => {
  const engine = new FakeEngine(async (container) => {
    container.ready();
    await container.executed;
    for (let id = 0; id < 100; id++) ask(container, id, 'x'.repeat(GRANT.outputBytes / 50));
  });
  expect(await execute(engine).ending).toMatchObject({ outcome: 'OUTPUT_LIMIT' });
});

test('a request that begins like a log line counts as the record that it is (P5)', async () => {
  const engine = new FakeEngine(async (container) => {
    container.ready();
    await container.executed;
    const params = { level: 'info', message: 'x'.repeat(1024) };
    const record = JSON.stringify({ jsonrpc: '2.0', method: 'log', params, id: 1 });
    for (let sent = 0; sent < GRANT.outputBytes + 64 * 1024; sent += record.length)
      container.print(frameRecord(record));
    container.answer('answered');
  });
  expect(await execute(engine).ending).toMatchObject({ outcome: 'OK', result: 'answered' });
  // Of what comes after the first log lines nothing is looked into.
  expect(repliesTo(engine.container).length).toBeLessThan(200);
});

test('a plugin is refused every request after its answer', async () => {
  const engine = new FakeEngine(async (container) => {
    container.ready();
    await container.executed;
    container.print(frameRecord('{"jsonrpc":"2.0","id":1,"result":"answered"}'));
    ask(container, 7, 'fetch');
    await oneReplyTo(container);
    container.print(`\n${frameRecord(toOutputEnd(1))}`, 'stderr');
    container.print(frameRecord('{"jsonrpc":"2.0","method":"settled","params":{"id":1,"cut":false}}'));
  });
  const execution = execute(engine);
  expect(await execution.ending).toMatchObject({ outcome: 'OK', result: 'answered' });
  expect(repliesTo(engine.container)).toEqual([{ jsonrpc: '2.0', id: 7, error: NOT_SERVED }]);
  await execution.removed;
});

test('a waiting container is refused every request, and a flood ends it', async () => {
  const engine = new FakeEngine((container) => container.ready());
  const { promise: lost, resolve } = Promise.withResolvers<string>();
  const idle = new IdleContainer(
    {
      start: (user) => new Container({ ...PLAN, engine, id: 'w1' }, user),
      preload: false,
      timeoutMs: 0,
      key: null,
    },
    { memory: { release: () => {} } as never, onLost: (_idle, { outcome }) => resolve(outcome) },
  );
  await idle.settled;
  const { container } = engine;
  ask(container, 7, 'fetch');
  await oneReplyTo(container);
  expect(idle.isReady).toBe(true);
  expect(repliesTo(container)).toEqual([{ jsonrpc: '2.0', id: 7, error: NOT_SERVED }]);
  const request = frameRecord('{"jsonrpc":"2.0","id":8,"method":"a"}');
  for (let sent = 0; sent < 200; sent++) container.print(request.repeat(50));
  expect(await lost).toBe('OUTPUT_LIMIT');
  expect(repliesTo(container).length).toBeLessThanOrEqual(1 + (64 * 1024) / request.length);
  await idle.close();
});

test('the reading pauses for a container that does not read the answers, until it does', async () => {
  const engine = new FakeEngine(async (container) => {
    container.ready();
    await container.executed;
    container.isReading = false;
    for (let id = 1; id <= 1_000; id++) ask(container, id, 'fetch');
    container.answer('read on');
  });
  const execution = execute(engine);
  await execution.begun;
  await delay(100);
  expect(repliesTo(engine.container).length).toBeLessThanOrEqual(66);
  engine.container.isReading = true;
  expect(await execution.ending).toMatchObject({ outcome: 'OK', result: 'read on' });
  expect(repliesTo(engine.container).length).toBe(1_000);
  await execution.removed;
});

test('the deadline ends a container that does not read the answers (P4)', async () => {
  const engine = new FakeEngine(async (container) => {
    container.ready();
    await container.executed;
    container.isReading = false;
    for (let id = 1; id <= 1_000; id++) ask(container, id, 'fetch');
  });
  const execution = execute(engine, 100);
  expect(await execution.ending).toMatchObject({ outcome: 'TIMEOUT' });
  await execution.removed;
  expect(engine.alive).toEqual([]);
});
