import { describe, expect, test } from 'vitest';
import { ContainerSandbox, type ExecuteOptions } from '../../src/execution/container-sandbox.ts';
import { parseContext } from '../../src/execution/context.ts';
import { endsWithoutTrace } from '../../src/execution/finished.ts';
import { createIdentity } from '../../src/execution/identity.ts';
import { Reaper } from '../../src/execution/reaper.ts';
import { SILENT_LOGGER } from '../../src/logger.ts';
import { PluginManifestSchema } from '../../src/manifest/schema.ts';
import type { Grant } from '../../src/policy/grant.ts';
import { Parking } from '../../src/pool/parking.ts';
import { HUNG_UP_EXIT_CODE } from '../../src/protocol/messages.ts';
import { admissionOf } from '../admission/sample.ts';
import { engineError, type FakeContainer, FakeEngine } from '../helpers/fake-engine.ts';
import { MINIMAL } from '../manifest/sample.ts';
import { SCHEMA_CHECKER } from '../schemas/sample.ts';
import { GRANT, IMAGE } from '../spec/sample.ts';
import { NO_STANDBY } from './no-standby.ts';

/** A runner whose plugin answers, and that leaves when it is told to. */
async function polite(container: FakeContainer): Promise<void> {
  container.onHungUp = () => container.exit({ exitCode: HUNG_UP_EXIT_CODE });
  container.ready();
  await container.executed;
  container.answer('done');
}

function createSandbox(engine: FakeEngine): ContainerSandbox {
  const reaper = new Reaper(createIdentity(), SILENT_LOGGER);
  const common = { reaper, logger: SILENT_LOGGER };
  const finished = new Parking({ ...common, maxAgeMs: 60_000, isWorthIt: () => true });
  return new ContainerSandbox({
    schemaChecker: SCHEMA_CHECKER,
    ...common,
    plugin: {
      manifest: PluginManifestSchema.parse(MINIMAL),
      digest: `sha256:${'d'.repeat(64)}`,
    },
    grant: GRANT,
    connect: async () => engine,
    findImage: async () => IMAGE,
    prepareImage: async () => IMAGE,
    ownerLabels: {},
    admission: admissionOf(),
    standby: { ...NO_STANDBY, finished, close: () => finished.close() },
  });
}

/** Resolves when the execution has done with its container as well. */
async function execute(sandbox: ContainerSandbox, options: ExecuteOptions = {}) {
  const result = await sandbox.execute(parseContext({}), options);
  // What a place is held for is over within some turns of a fake engine.
  await new Promise((resolve) => setTimeout(resolve, 20));
  return result;
}

test('a container that has left is looked at and started again, and no other is made', async () => {
  const engine = new FakeEngine(polite);
  const sandbox = createSandbox(engine);
  const [first, second] = [await execute(sandbox), await execute(sandbox)];
  expect([first, second]).toMatchObject([{ result: 'done' }, { result: 'done' }]);
  expect(second.metadata['containerId']).toBe(first.metadata['containerId']);
  expect(second.metadata['sandboxId']).not.toBe(first.metadata['sandboxId']);
  expect(engine.calls).toEqual([
    ...[
      'createContainer',
      'attachContainer',
      'startContainer',
      'containerUsage',
      'waitContainer',
      'containerExit',
    ],
    ...[
      'verifyFinished',
      'attachContainer',
      'startContainer',
      'containerUsage',
      'waitContainer',
      'containerExit',
    ],
  ]);
  await sandbox.close();
  expect(engine.alive).toEqual([]);
});

describe('another one is made where the finished one', () => {
  test.each(['CONTAINER_VANISHED', 'ENGINE_INSECURE'] as const)(
    'is %s before its start (P9)',
    async (code) => {
      const engine = new FakeEngine(polite);
      const sandbox = createSandbox(engine);
      await execute(sandbox);
      engine.before.verifyFinished = () => {
        throw engineError(code);
      };
      expect(await execute(sandbox)).toMatchObject({ outcome: 'OK' });
      expect([engine.timesOf('createContainer'), engine.timesOf('startContainer')]).toEqual([2, 2]);
      await sandbox.close();
      expect(engine.alive).toEqual([]);
    },
  );
});

describe('no other is made where', () => {
  test.each([
    ['verifyFinished', 'ENGINE_TIMEOUT'],
    ['attachContainer', 'CONTAINER_VANISHED'],
    ['startContainer', 'CONTAINER_VANISHED'],
    ['startContainer', 'ENGINE_LOST'],
  ] as const)('%s of the finished one fails with %s (P9)', async (call, code) => {
    const engine = new FakeEngine(polite);
    const sandbox = createSandbox(engine);
    await execute(sandbox);
    engine.before[call] = () => {
      throw engineError(code);
    };
    expect((await execute(sandbox)).outcome).not.toBe('OK');
    expect(engine.timesOf('createContainer')).toBe(1);
    expect(engine.alive).toEqual([]);
    await sandbox.close();
  });
});

describe('a container is removed', () => {
  const leaving: Record<string, (container: FakeContainer) => void> = {
    'that left with another exit code': (container) => container.exit({ exitCode: 0 }),
    'that ran out of memory': (container) =>
      container.exit({ exitCode: HUNG_UP_EXIT_CODE, outOfMemory: true }),
    'that somebody ended': (container) =>
      container.exit({ exitCode: HUNG_UP_EXIT_CODE, endedByEngine: true }),
    'whose end the engine has something to say of': (container) =>
      container.exit({ exitCode: HUNG_UP_EXIT_CODE, error: 'no' }),
    'whose stream broke': (container) => container.lose(),
    'that said something wrong before it left': (container) => {
      container.say({ id: 77, result: 'unasked' });
      container.print(Buffer.from('\u001e{"jsonrpc":"2.0","id":\n'));
      container.exit({ exitCode: HUNG_UP_EXIT_CODE });
    },
  };

  test.each(Object.entries(leaving))('%s', async (_, leave) => {
    const engine = new FakeEngine(async (container) => {
      void polite(container);
      container.onHungUp = () => leave(container);
    });
    const sandbox = createSandbox(engine);
    expect(await execute(sandbox)).toMatchObject({ outcome: 'OK' });
    await expect.poll(() => engine.alive, { timeout: 3_000 }).toEqual([]);
    await sandbox.close();
  });

  test('whose stream is over while it runs on', async () => {
    const engine = new FakeEngine(async (container) => {
      void polite(container);
      container.onHungUp = () => container.endStream();
    });
    engine.before.waitContainer = () => {
      throw engineError('ENGINE_TIMEOUT');
    };
    const sandbox = createSandbox(engine);
    expect(await execute(sandbox)).toMatchObject({ outcome: 'OK' });
    expect(engine.alive).toEqual([]);
    await sandbox.close();
  });

  test('when the caller waits for that', async () => {
    const engine = new FakeEngine(polite);
    const sandbox = createSandbox(engine);
    await sandbox.execute(parseContext({}), { waitForRemoval: true });
    expect(engine.alive).toEqual([]);
    await sandbox.close();
  });
});

test.each<[string, Partial<Grant>, boolean]>([
  ['nothing of its own', {}, true],
  ['a scratch folder', { scratchBytes: 1024 * 1024 }, true],
  ['processes', { exec: true }, true],
  ['a bridge', { network: 'bridge' }, false],
  ['the network of the host', { network: 'host' }, false],
  ['a mount', { mounts: [{ name: 'm', hostPath: '/srv/m', containerPath: '/mnt/m', mode: 'ro' }] }, false],
  ['another runtime', { runtime: 'runsc' }, false],
  ['a session', { isolation: { mode: 'session', maxCalls: 10, maxAgeMs: 1_000 } }, false],
])('a container with %s ends without a trace, or does not', (_, changes, expected) => {
  expect(endsWithoutTrace({ ...GRANT, ...changes })).toBe(expected);
});
