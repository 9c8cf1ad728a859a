import { expect, test } from 'vitest';
import { until } from '../../helpers/until.ts';
import { KEPT, stageOf } from './sample.ts';

const input_schema = { type: 'object', required: ['city'] };
const SILENT = { inputData: { city: 'x' } };

test('a waiting container survives a call with invalid input, and serves the next one', async () => {
  await using stage = stageOf();
  const { pluginPool, call } = stage.plugin('weather', { warm: 1, manifest: { input_schema } });
  await until('one waits', () => pluginPool.readyCount === 1);
  for (let wrong = 0; wrong < 5; wrong++)
    expect(await call({ inputData: {} })).toMatchObject({ outcome: 'INPUT_INVALID' });
  expect(pluginPool.readyCount).toBe(1);
  expect(stage.engine.containers).toHaveLength(1);
  expect(stage.admission.held).toMatchObject({ running: 0, memoryBytes: stage.admission.held.idleBytes });
  expect(await call(SILENT)).toMatchObject({ outcome: 'OK', metadata: { sandbox: 'warm' } });
});

test('a reused container survives a call with invalid input, and its session goes on in it', async () => {
  await using stage = stageOf();
  const isolation = { mode: 'session', ...KEPT } as const;
  const { pluginPool, call } = stage.plugin('weather', { grant: { isolation }, manifest: { input_schema } });
  const session = { userId: 'u', sessionId: 's' };
  expect(await call({ ...SILENT, ...session })).toMatchObject({ outcome: 'OK', result: 1 });
  await until('one is kept', () => pluginPool.reusedCount === 1);
  expect(await call({ inputData: {}, ...session })).toMatchObject({ outcome: 'INPUT_INVALID' });
  expect(pluginPool.reusedCount).toBe(1);
  expect(await call({ ...SILENT, ...session })).toMatchObject({ outcome: 'OK', result: 2 });
  expect(stage.engine.containers).toHaveLength(1);
});

test('a container whose result does not fit the schema is reused after the check', async () => {
  await using stage = stageOf();
  const isolation = { mode: 'session', ...KEPT } as const;
  const output_schema = { type: 'string' };
  const { pluginPool, call } = stage.plugin('weather', { grant: { isolation }, manifest: { output_schema } });
  const session = { userId: 'u', sessionId: 's' };
  expect(await call(session)).toMatchObject({ outcome: 'OUTPUT_INVALID' });
  await until('one is kept', () => pluginPool.reusedCount === 1);
});

test('invalid input is reported when the call has a slot, and no container is created for it', async () => {
  await using stage = stageOf();
  const { call } = stage.plugin('weather', { manifest: { input_schema } });
  const others = [1, 2, 3, 4].map(() =>
    stage
      .plugin(`other-${Math.random()}`.replace('.', ''))
      .call({ inputData: 'silence' }, { timeoutMs: 400 }),
  );
  await until('all places are taken', () => stage.admission.held.running === 4);
  let isTold = false;
  const refused = call({ inputData: {} }).then((result) => {
    isTold = true;
    return result;
  });
  await until('it waits', () => stage.admission.held.waiting === 1);
  expect(isTold).toBe(false);
  expect(await refused).toMatchObject({ outcome: 'INPUT_INVALID' });
  await Promise.all(others);
  expect(stage.engine.containers).toHaveLength(4);
});
