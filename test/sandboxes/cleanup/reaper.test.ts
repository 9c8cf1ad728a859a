import { describe, expect, test, vi } from 'vitest';
import { SILENT_LOGGER } from '../../../src/logger.ts';
import { createIdentity, toLabels } from '../../../src/sandboxes/cleanup/identity.ts';
import { Reaper } from '../../../src/sandboxes/cleanup/reaper.ts';
import { engineError, FakeEngine } from '../../helpers/fake-engine.ts';
import { specOf } from '../../spec/sample.ts';

const self = createIdentity();
const ofTheDead = {
  ...toLabels({ ...self, instance: 'another' }),
  'lurkbox.process': `4194305:1:${self.process.split(':')[2]}`,
};

async function addContainer(
  engine: FakeEngine,
  execution: string,
  labels: Record<string, string> = toLabels(self),
): Promise<void> {
  await engine.createContainer({
    ...specOf(),
    name: execution,
    labels: { ...labels, 'lurkbox.kind': 'container', 'lurkbox.execution': execution },
  });
}

const namesIn = (engine: FakeEngine): string[] => engine.alive.map(({ spec }) => spec.name);

describe('the reaper', () => {
  test('first removes what belongs to no running execution and what dead processes left (P2)', async () => {
    const engine = new FakeEngine();
    const reaper = new Reaper(self, SILENT_LOGGER);
    for (const execution of ['live', 'over']) await addContainer(engine, execution);
    await addContainer(engine, 'dead', ofTheDead);
    await addContainer(engine, 'of-another', toLabels({ ...self, instance: 'another' }));
    using _live = reaper.admit('live');
    reaper.begin(engine);
    await reaper.close();
    expect(namesIn(engine)).toEqual(['live', 'of-another']);
  });

  test('removes by its close what appears after a fault of the engine (P2)', async () => {
    const engine = new FakeEngine();
    const reaper = new Reaper(self, SILENT_LOGGER);
    reaper.begin(engine);
    reaper.suspect();
    await addContainer(engine, 'late');
    expect(await reaper.close()).toBe(false);
    expect(namesIn(engine)).toEqual([]);
  });

  test('reports that nothing is left where nothing was suspected', async () => {
    const reaper = new Reaper(self, SILENT_LOGGER);
    reaper.begin(new FakeEngine());
    expect(await reaper.close()).toBe(true);
    expect(await reaper.close()).toBe(true);
  });

  test('leaves no timer and does not fail when the engine is away', async () => {
    const before = process.getActiveResourcesInfo().filter((kind) => kind === 'Timeout').length;
    const engine = new FakeEngine();
    engine.listContainers = async () => {
      throw engineError('ENGINE_UNAVAILABLE');
    };
    const reaper = new Reaper(self, SILENT_LOGGER);
    reaper.begin(engine);
    reaper.suspect();
    await reaper.close();
    reaper.suspect();
    expect(process.getActiveResourcesInfo().filter((kind) => kind === 'Timeout').length).toBe(before);
  });

  test('stays in doubt until a later check finds the engine in order (P2)', async () => {
    vi.useFakeTimers({
      toFake: ['setTimeout', 'clearTimeout', 'setInterval', 'clearInterval', 'performance'],
    });
    try {
      const engine = new FakeEngine();
      let isAway = true;
      const list = engine.listContainers.bind(engine);
      engine.listContainers = async (label) => {
        if (isAway) throw engineError('ENGINE_UNAVAILABLE');
        return list(label);
      };
      const reaper = new Reaper(self, SILENT_LOGGER);
      reaper.begin(engine);
      reaper.suspect();
      await vi.advanceTimersByTimeAsync(60_000);
      expect(await reaper.close()).toBe(false);
      isAway = false;
      expect(await reaper.close()).toBe(true);
    } finally {
      vi.useRealTimers();
    }
  });
});
