import { setTimeout as delay } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { BuildQueue } from '../../src/image/build-queue.ts';

const LIMITS = { atOnce: 2, longMs: 60_000, most: 4, maxWaiting: 8, timeoutMs: 60_000 };

/** Builds that last until they are told to end, and the order in which they began. */
function queueOf(limits: Partial<typeof LIMITS> = {}) {
  const queue = new BuildQueue({ ...LIMITS, ...limits });
  const begun: string[] = [];
  const build = (plugin: string, name = plugin, signal: AbortSignal = new AbortController().signal) => {
    const { promise, resolve } = Promise.withResolvers<string>();
    const done = queue.run(plugin, signal, (building) => {
      begun.push(name);
      building.addEventListener('abort', () => resolve('interrupted'));
      return promise;
    });
    done.catch(() => {});
    return { done, end: () => resolve(name) };
  };
  return { begun, build };
}

test('a fixed number of builds run at once, and the next starts when one is done', async () => {
  const { begun, build } = queueOf();
  const [first] = [build('a'), build('b'), build('c')];
  await delay(0);
  expect(begun).toEqual(['a', 'b']);
  first?.end();
  expect(await first?.done).toBe('a');
  await delay(0);
  expect(begun).toEqual(['a', 'b', 'c']);
});

test('one plugin has one build at a time, and plugins take turns', async () => {
  const { begun, build } = queueOf({ atOnce: 1 });
  const builds = [build('a', 'a1'), build('a', 'a2'), build('a', 'a3'), build('b', 'b1'), build('c', 'c1')];
  for (const { end, done } of builds) {
    end();
    void done;
  }
  await Promise.all(builds.map(({ done }) => done));
  expect(begun).toEqual(['a1', 'b1', 'c1', 'a2', 'a3']);
});

test('a hanging build delays others only for a while (P10)', async () => {
  const { begun, build } = queueOf({ longMs: 50 });
  for (const plugin of ['slow', 'slower', 'honest']) build(plugin);
  await expect.poll(() => begun).toContain('honest');
  for (const plugin of ['slowest', 'fifth']) build(plugin);
  await delay(200);
  expect(begun).toEqual(['slow', 'slower', 'honest', 'slowest']);
});

test('a build ends at its deadline, with an error that says so (P10)', async () => {
  const { build } = queueOf({ timeoutMs: 50 });
  const { done } = build('slow');
  await expect(done).resolves.toBe('interrupted');
  const queue = new BuildQueue({ ...LIMITS, timeoutMs: 50 });
  const work = async (signal: AbortSignal) => {
    await new Promise((resolve) => signal.addEventListener('abort', resolve));
    throw new Error('something else');
  };
  await expect(queue.run('slow', new AbortController().signal, work)).rejects.toMatchObject({
    code: 'IMAGE_BUILD_FAILED',
    message: 'the image was not made within 0.05 s',
  });
});

test('the number of waiting builds is bounded, with a quarter for one plugin (P10)', async () => {
  const { build } = queueOf({ atOnce: 1 });
  build('a');
  const own = [build('a'), build('a')];
  await expect(build('a').done).rejects.toMatchObject({ code: 'HOST_RESOURCES' });
  for (const plugin of ['b', 'c', 'd', 'e', 'f', 'g']) build(plugin);
  await expect(build('h').done).rejects.toMatchObject({ code: 'HOST_RESOURCES' });
  void own;
});

test('a build that is aborted while it waits is not started', async () => {
  const { begun, build } = queueOf({ atOnce: 1 });
  const first = build('a');
  const leaving = new AbortController();
  const second = build('b', 'b', leaving.signal);
  build('c');
  leaving.abort(new Error('left'));
  await expect(second.done).rejects.toThrow('left');
  first.end();
  await expect.poll(() => begun).toEqual(['a', 'c']);
});

test('a failed build frees its place, too', async () => {
  const queue = new BuildQueue({ ...LIMITS, atOnce: 1 });
  const { signal } = new AbortController();
  await expect(queue.run('a', signal, () => Promise.reject(new Error('no')))).rejects.toThrow('no');
  expect(await queue.run('b', signal, async () => 'yes')).toBe('yes');
});
