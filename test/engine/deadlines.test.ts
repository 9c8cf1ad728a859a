import { expect, test } from 'vitest';
import { withDeadline } from '../../src/engine/deadlines.ts';

const ACTION = 'list containers';

test('an answer of the engine in time is returned', async () => {
  await expect(withDeadline(ACTION, async () => 42, 1000)).resolves.toBe(42);
});

test('a failure of the engine in time is thrown', async () => {
  const failure = new Error('no');
  await expect(withDeadline(ACTION, () => Promise.reject(failure), 1000)).rejects.toBe(failure);
});

test('a call to the engine that throws at once fails like any other', async () => {
  const call = (): never => {
    throw new Error('no');
  };
  await expect(withDeadline(ACTION, call, 1000)).rejects.toThrow('no');
});

test('a missing answer becomes `ENGINE_TIMEOUT`, which says what was done and how long it took', async () => {
  await expect(withDeadline(ACTION, () => new Promise(() => {}), 20)).rejects.toMatchObject({
    code: 'ENGINE_TIMEOUT',
    message:
      'Could not list containers: the engine gave no answer within 20 ms. ' +
      'It hangs, or its host is overloaded: look at its log.',
  });
});

test('a request is aborted at its deadline, and not before', async () => {
  let signal: AbortSignal | undefined;
  const call = (given: AbortSignal): Promise<never> => {
    signal = given;
    return new Promise(() => {});
  };
  const waiting = withDeadline(ACTION, call, 20);
  expect(signal?.aborted).toBe(false);
  await expect(waiting).rejects.toThrow();
  expect(signal?.aborted).toBe(true);
});

test('a request that fails because it was aborted is still `ENGINE_TIMEOUT`', async () => {
  const call = (signal: AbortSignal): Promise<never> =>
    new Promise((_resolve, reject) => {
      signal.addEventListener('abort', () => reject(signal.reason), { once: true });
    });
  await expect(withDeadline(ACTION, call, 20)).rejects.toMatchObject({ code: 'ENGINE_TIMEOUT' });
});

test('a request is not aborted after its answer', async () => {
  let signal: AbortSignal | undefined;
  const call = async (given: AbortSignal): Promise<void> => {
    signal = given;
  };
  await withDeadline(ACTION, call, 10);
  await new Promise((resolve) => setTimeout(resolve, 30));
  expect(signal?.aborted).toBe(false);
});
