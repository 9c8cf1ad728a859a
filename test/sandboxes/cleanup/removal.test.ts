import { describe, expect, test } from 'vitest';
import { SILENT_LOGGER } from '../../../src/logger.ts';
import { removeSandbox } from '../../../src/sandboxes/cleanup/removal.ts';
import { engineError, FakeEngine } from '../../helpers/fake-engine.ts';

/** An engine whose removals fail the first so many times, and what became of a removal. */
async function removeWith(failures: { container?: number; network?: number }, network: string | null = null) {
  const reports: unknown[] = [];
  const engine = new FakeEngine();
  engine.before.removeContainer = (time) => {
    if (time <= (failures.container ?? 0)) throw engineError('ENGINE_TIMEOUT');
  };
  engine.before.removeNetwork = (time) => {
    if (time <= (failures.network ?? 0)) throw engineError('ENGINE_ERROR');
  };
  const logger = { ...SILENT_LOGGER, error: (...report: unknown[]) => void reports.push(report) };
  await removeSandbox({ engine, container: 'id-1', network, logger });
  return { engine, reports };
}

// Between two tries is a pause, so these wait side by side.
describe.concurrent('a removal', { timeout: 20_000 }, () => {
  test('of a container removes it, then its network', async () => {
    const { engine } = await removeWith({}, 'net');
    expect(engine.calls).toEqual(['removeContainer', 'removeNetwork']);
  });

  test('leaves networks alone when the container has none of its own', async () => {
    const { engine } = await removeWith({});
    expect(engine.calls).toEqual(['removeContainer']);
  });

  test('that fails is retried, one attempt at a time', async () => {
    const { engine, reports } = await removeWith({ container: 2, network: 1 }, 'net');
    expect(engine.timesOf('removeContainer')).toBe(3);
    expect(engine.timesOf('removeNetwork')).toBe(2);
    expect(engine.mostRemovalsAtOnce).toBe(1);
    expect(reports).toEqual([]);
  });

  test('that always fails is reported once and given up, and the network is still removed', async () => {
    const { engine, reports } = await removeWith({ container: Number.POSITIVE_INFINITY }, 'net');
    expect(engine.timesOf('removeContainer')).toBe(5);
    expect(engine.timesOf('removeNetwork')).toBe(1);
    expect(reports).toEqual([
      [expect.objectContaining({ name: 'id-1' }), 'could not remove it; it is tried again later'],
    ]);
  });
});
