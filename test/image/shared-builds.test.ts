import { describe, expect, test } from 'vitest';
import { createSharedBuilds } from '../../src/image/shared-builds.ts';

/** A build that ends when it is told to, or when it is aborted. */
function controlledBuild() {
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  let started = 0;
  let aborted = false;
  const build = (signal: AbortSignal) => {
    started++;
    signal.addEventListener('abort', () => {
      aborted = true;
      reject(signal.reason);
    });
    return promise;
  };
  return { build, finish: resolve, fail: reject, started: () => started, aborted: () => aborted };
}

describe('shared builds', () => {
  test('build the same image once for all callers at the same time', async () => {
    const share = createSharedBuilds<string>();
    const { build, finish, started } = controlledBuild();
    const both = Promise.all([share('a', build), share('a', build)]);
    finish('made');
    expect(await both).toEqual(['made', 'made']);
    expect(started()).toBe(1);
  });

  test('build it again for a later caller', async () => {
    const share = createSharedBuilds<number>();
    let made = 0;
    expect(await share('a', async () => ++made)).toBe(1);
    expect(await share('a', async () => ++made)).toBe(2);
  });

  test('report a failure to every caller and then forget it', async () => {
    const share = createSharedBuilds<string>();
    const { build, fail } = controlledBuild();
    const both = Promise.allSettled([share('a', build), share('a', build)]);
    fail(new Error('no disk'));
    expect((await both).map(({ status }) => status)).toEqual(['rejected', 'rejected']);
    expect(await share('a', async () => 'made')).toBe('made');
  });

  test('let one caller leave while the other still waits', async () => {
    const share = createSharedBuilds<string>();
    const { build, finish, aborted } = controlledBuild();
    const controller = new AbortController();
    const leaving = share('a', build, controller.signal);
    const staying = share('a', build);
    controller.abort(new Error('gone'));
    await expect(leaving).rejects.toThrow('gone');
    expect(aborted()).toBe(false);
    finish('made');
    expect(await staying).toBe('made');
  });

  test('abort the build when the last caller leaves', async () => {
    const share = createSharedBuilds<string>();
    const { build, aborted } = controlledBuild();
    const controller = new AbortController();
    const leaving = share('a', build, controller.signal);
    controller.abort(new Error('gone'));
    await expect(leaving).rejects.toThrow('gone');
    expect(aborted()).toBe(true);
    expect(await share('a', async () => 'made anew')).toBe('made anew');
  });

  test('start nothing for a signal that has aborted', async () => {
    const share = createSharedBuilds<string>();
    const { build, started } = controlledBuild();
    await expect(share('a', build, AbortSignal.abort(new Error('gone')))).rejects.toThrow('gone');
    expect(started()).toBe(0);
  });
});
