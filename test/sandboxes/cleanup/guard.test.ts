import { EventEmitter } from 'node:events';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { SILENT_LOGGER } from '../../../src/logger.ts';
import { startGuard } from '../../../src/sandboxes/cleanup/guard.ts';
import { createIdentity } from '../../../src/sandboxes/cleanup/identity.ts';

const { spawn } = vi.hoisted(() => ({ spawn: vi.fn() }));
vi.mock('node:child_process', () => ({ spawn }));

/** What `spawn` answers where no process could be made. */
function neverStarted(): EventEmitter {
  const child = Object.assign(new EventEmitter(), { pid: undefined, stdin: null, unref: () => {} });
  setImmediate(() => child.emit('error', Object.assign(new Error('spawn EAGAIN'), { code: 'EAGAIN' })));
  return child;
}

const identity = createIdentity();
const options = { identity, engineEnv: { DOCKER_HOST: 'unix:///x' }, cacheDir: '/x', logger: SILENT_LOGGER };

describe('a guard that cannot be started', () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => {
    vi.useRealTimers();
    spawn.mockReset();
  });

  test.each([
    ['with an error that comes later', neverStarted],
    [
      'with an error at once',
      () => {
        throw new Error('spawn ENOMEM');
      },
    ],
  ])('%s is tried five times and then given up', async (_, fail) => {
    spawn.mockImplementation(fail);
    startGuard(options);
    await vi.advanceTimersByTimeAsync(60_000);
    expect(spawn).toHaveBeenCalledTimes(5);
  });

  test('is not tried again after it is dismissed', async () => {
    spawn.mockImplementation(neverStarted);
    const guard = startGuard(options);
    await guard.dismiss();
    await vi.advanceTimersByTimeAsync(60_000);
    expect(spawn).toHaveBeenCalledTimes(1);
  });

  test('is given the current name of the host when it is tried again', () => {
    spawn.mockImplementation(neverStarted);
    startGuard({ ...options, identity: { ...identity, host: 'as-it-was' } });
    expect(spawn.mock.calls[0]?.[1]).toEqual(expect.arrayContaining([identity.process, 'as-it-was', '/x']));
  });
});
