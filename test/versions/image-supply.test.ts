import { expect, test, vi } from 'vitest';
import { RefusedError } from '../../src/calls/admission/admission.ts';
import { LurkboxError } from '../../src/errors.ts';
import { ImageSupply } from '../../src/versions/image-supply.ts';

const never = (signal: AbortSignal) =>
  new Promise<string>((_, reject) => signal.addEventListener('abort', () => reject(signal.reason)));
const broken = () => Promise.reject(new LurkboxError('DEPENDENCY_FAILED', 'no such package'));

test('a call gets the image that was built', async () => {
  const supply = new ImageSupply({ concurrency: 1, maxQueue: 1 });
  expect(await supply.wait({ id: 1, name: 'a' }, async () => 'image', undefined)).toBe('image');
});

test('a caller that aborts is answered at once, and the build is aborted', async () => {
  const supply = new ImageSupply({ concurrency: 1, maxQueue: 1 });
  const caller = new AbortController();
  let wasTold = false;
  const build = (signal: AbortSignal) => {
    signal.addEventListener('abort', () => {
      wasTold = true;
    });
    return never(signal);
  };
  const waiting = supply.wait({ id: 1, name: 'a' }, build, caller.signal);
  caller.abort(new Error('left'));
  await expect(waiting).rejects.toThrow('left');
  expect(wasTold).toBe(true);
});

test('the number of calls that wait for builds is bounded, and a plugin with many gives way to one with few (P10)', async () => {
  const supply = new ImageSupply({ concurrency: 2, maxQueue: 2 });
  const outcomes: unknown[] = [];
  for (let id = 0; id < 4; id++)
    supply.wait({ id, name: 'many' }, never, undefined).catch((error: unknown) => outcomes.push(error));
  await expect(supply.wait({ id: 5, name: 'many' }, never, undefined)).rejects.toBeInstanceOf(RefusedError);
  expect(await supply.wait({ id: 6, name: 'few' }, async () => 'image', undefined)).toBe('image');
  await expect.poll(() => outcomes).toHaveLength(1);
  expect(outcomes[0]).toMatchObject({ refusal: { kind: 'gave way' } });
});

test('a failed build is not retried by every call, but after a pause (P10)', async () => {
  vi.useFakeTimers();
  try {
    const supply = new ImageSupply({ concurrency: 2, maxQueue: 2 });
    const build = vi.fn(broken);
    const version = { id: 1, name: 'a' };
    await expect(supply.wait(version, build, undefined)).rejects.toThrow('no such package');
    await expect(supply.wait(version, build, undefined)).rejects.toMatchObject({
      code: 'DEPENDENCY_FAILED',
      message: expect.stringMatching(/^no such package\. The next try is in 5 s/),
    });
    expect(build).toHaveBeenCalledTimes(1);
    vi.advanceTimersByTime(5_000);
    await expect(supply.wait(version, build, undefined)).rejects.toThrow('no such package');
    expect(build).toHaveBeenCalledTimes(2);
    await expect(supply.wait(version, build, undefined)).rejects.toThrow('in 10 s');
    supply.forget(1);
    expect(await supply.wait(version, async () => 'image', undefined)).toBe('image');
  } finally {
    vi.useRealTimers();
  }
});

test('the next call asks again an engine that did not answer', async () => {
  const supply = new ImageSupply({ concurrency: 2, maxQueue: 2 });
  const gone = () => Promise.reject(new LurkboxError('ENGINE_UNAVAILABLE', 'gone'));
  await expect(supply.wait({ id: 1, name: 'a' }, gone, undefined)).rejects.toThrow('gone');
  expect(await supply.wait({ id: 1, name: 'a' }, async () => 'image', undefined)).toBe('image');
});
