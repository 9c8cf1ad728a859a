import { setTimeout as delay } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { KEPT, stageOf, until } from './sample.ts';

describe('what a container sends while nobody calls it', () => {
  const unfinished = (bytes: number): string => `\u001e${'x'.repeat(bytes)}`;

  test('ends one that waits when it is more than 64 KiB, although the grant of a call is larger', async () => {
    await using stage = stageOf();
    const { shelf } = stage.plugin('chatty');
    expect(await stage.pool.hint(shelf, 1)).toBe(1);
    stage.engine.container.print(unfinished(70_000));
    await until('it is gone', () => stage.engine.container.isRemoved);
  });

  test.each(['stdout', 'stderr'] as const)('ends one that is kept, over %s', async (stream) => {
    await using stage = stageOf();
    const { shelf, call } = stage.plugin('kept', { grant: { isolation: { mode: 'plugin', ...KEPT } } });
    // What its calls wrote does not count.
    for (let calls = 1; calls <= 3; calls++) {
      const context = { inputData: { bytes: 100_000 } };
      expect(await call(context)).toMatchObject({ outcome: 'OK' });
      await until('it is kept', () => shelf.keptCount === 1);
    }
    expect(stage.engine.containers).toHaveLength(1);
    stage.engine.container.print(unfinished(70_000), stream);
    await until('it is gone', () => stage.engine.container.isRemoved);
    expect(await call()).toMatchObject({ outcome: 'OK', metadata: { sandbox: 'cold' } });
  });

  test('takes nothing from the room of the call that it serves then, but what it wrote', async () => {
    await using stage = stageOf();
    const { shelf, call } = stage.plugin('loaded');
    await stage.pool.hint(shelf, 1);
    stage.engine.container.print(`${'x'.repeat(50_000)}\n`);
    await delay(10);
    const context = { inputData: { bytes: 900_000 } };
    expect(await call(context)).toMatchObject({ outcome: 'OK', metadata: { sandbox: 'warm' } });
  });
});
