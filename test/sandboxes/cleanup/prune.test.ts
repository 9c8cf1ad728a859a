import { describe, expect, test } from 'vitest';
import { createIdentity, toLabels } from '../../../src/sandboxes/cleanup/identity.ts';
import { prune } from '../../../src/sandboxes/cleanup/prune.ts';
import { engineError, FakeEngine } from '../../helpers/fake-engine.ts';
import { specOf } from '../../spec/sample.ts';

const self = createIdentity();
const another = toLabels({ ...self, instance: 'another' });
const namespace = self.process.split(':')[2];
const OWNERS = {
  ours: toLabels(self),
  'of-the-living': another,
  'of-another-machine': { ...another, 'lurkbox.host': 'f00', 'lurkbox.process': `4194305:1:${namespace}` },
  'of-the-dead': { ...another, 'lurkbox.process': `4194305:1:${namespace}` },
  'of-the-dead-too': { ...another, 'lurkbox.process': `4194306:1:${namespace}` },
};

/** An engine with a container and a network of every owner, and some of nobody we know. */
async function createEngine(): Promise<FakeEngine> {
  const engine = new FakeEngine();
  const add = async (name: string, labels: Record<string, string>): Promise<void> => {
    await engine.createContainer({ ...specOf(), name, labels });
  };
  for (const [name, labels] of Object.entries(OWNERS)) {
    await add(name, { ...labels, 'lurkbox.kind': 'container' });
    await engine.createNetwork(name, { ...labels, 'lurkbox.kind': 'network' });
  }
  await add('database', {});
  await add('looks-like-ours', { 'lurkbox.kind': 'container' });
  await add('of-another-kind', { ...OWNERS['of-the-dead'], 'lurkbox.kind': 'image' });
  await engine.createNetwork('bridge', {});
  engine.calls.length = 0;
  return engine;
}

test('prune removes what dead orchestrators of this machine left, and nothing else (P8)', async () => {
  const engine = await createEngine();
  expect(await prune(engine, self)).toEqual({
    containers: ['of-the-dead', 'of-the-dead-too'],
    networks: ['of-the-dead', 'of-the-dead-too'],
  });
  expect(engine.alive.map(({ spec }) => spec.name)).toEqual([
    'ours',
    'of-the-living',
    'of-another-machine',
    'database',
    'looks-like-ours',
    'of-another-kind',
  ]);
  expect([...engine.networks.keys()]).toEqual(['ours', 'of-the-living', 'of-another-machine', 'bridge']);
});

test('prune removes containers before the networks that they are attached to', async () => {
  const engine = await createEngine();
  await prune(engine, self);
  expect(engine.calls).toEqual(['removeContainer', 'removeContainer', 'removeNetwork', 'removeNetwork']);
});

test('a second prune finds nothing left to remove', async () => {
  const engine = await createEngine();
  await prune(engine, self);
  expect(await prune(engine, self)).toEqual({ containers: [], networks: [] });
});

test('prune reports a removal that failed', async () => {
  const engine = await createEngine();
  engine.before.removeContainer = () => {
    throw engineError('ENGINE_TIMEOUT');
  };
  await expect(prune(engine, self)).rejects.toMatchObject({ code: 'ENGINE_TIMEOUT' });
});

test('prune for one process leaves alone what other processes left (P8)', async () => {
  const engine = await createEngine();
  const of = OWNERS['of-the-dead-too']['lurkbox.process'];
  expect(await prune(engine, self, { of })).toEqual({
    containers: ['of-the-dead-too'],
    networks: ['of-the-dead-too'],
  });
  expect(await prune(engine, self, { of: self.process })).toEqual({ containers: [], networks: [] });
});

describe('of what another boot left, which may be another machine of the same name,', () => {
  const ofAnotherBoot = { ...another, 'lurkbox.boot': 'another' };

  async function pruneOf(listed: { state: string; createdAtMs: number }) {
    const engine = Object.assign(new FakeEngine(), listed);
    await engine.createContainer({
      ...specOf(),
      name: 'it',
      labels: { ...ofAnotherBoot, 'lurkbox.kind': 'container' },
    });
    await engine.createNetwork('it', { ...ofAnotherBoot, 'lurkbox.kind': 'network' });
    return prune(engine, self);
  }

  test.each([
    ['young', Date.now() - 9 * 60_000],
    ['of an age that the engine does not tell', Number.NaN],
  ])('a stopped container and a network stay while they are %s (P8)', async (_, createdAtMs) => {
    expect(await pruneOf({ state: 'created', createdAtMs })).toEqual({ containers: [], networks: [] });
  });

  test('a stopped container and a network are removed when they are old (P2)', async () => {
    const createdAtMs = Date.now() - 11 * 60_000;
    expect(await pruneOf({ state: 'exited', createdAtMs })).toEqual({ containers: ['it'], networks: ['it'] });
  });

  test('a running container stays, whatever its age (P8)', async () => {
    expect((await pruneOf({ state: 'running', createdAtMs: 0 })).containers).toEqual([]);
  });
});
