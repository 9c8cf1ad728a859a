import { expect, test } from 'vitest';
import { RunnerProcess } from './run.ts';

const CODE = `
const loadedAt = new Date(0).getHours();
export const execute = () => ({
  loadedAt,
  hours: new Date(0).getHours(),
  zone: Intl.DateTimeFormat().resolvedOptions().timeZone,
  text: new Date(0).toTimeString(),
});`;

/** One call after the other in one process; answers what each said of its clock, and the warnings. */
async function clocksOf(environments: readonly unknown[], code = CODE) {
  await using runner = new RunnerProcess({ code });
  await runner.heard(({ method }) => method === 'ready');
  for (const [index, environment] of environments.entries()) {
    const context = { executionId: 'e', inputData: null, environment };
    const params = { entryPoint: runner.entryPoint, context, maxResultBytes: 1_000_000 };
    runner.send({ id: index + 1, method: 'execute', params });
    await runner.heard(({ id }) => id === index + 1);
  }
  return {
    clocks: runner.messages.flatMap(({ result }) => (result === undefined ? [] : [result])),
    warnings: runner.messages.flatMap(({ method, params }) => (method === 'warning' ? [params] : [])),
  };
}

test('the clock shows the time zone of each call', async () => {
  const { clocks, warnings } = await clocksOf([
    { TZ: 'Asia/Tokyo' },
    {},
    { TZ: 'America/New_York' },
    undefined,
  ]);
  expect(clocks).toMatchObject([
    { loadedAt: 9, hours: 9, zone: 'Asia/Tokyo', text: '09:00:00 GMT+0900 (Japan Standard Time)' },
    { loadedAt: 9, hours: 0, zone: 'UTC' },
    { hours: 19, zone: 'America/New_York' },
    { hours: 0, zone: 'UTC' },
  ]);
  expect(warnings).toEqual([]);
});

test.each(['Mars/Base', 'europe/zurich2', '+02:00', 'UTC\n', `A${'b'.repeat(200)}`])(
  'the invalid time zone %j is reported, and the clock shows that of the container',
  async (TZ) => {
    const { clocks, warnings } = await clocksOf([{ TZ: 'Asia/Tokyo' }, { TZ }]);
    expect(clocks[1]).toMatchObject({ hours: 0 });
    expect(warnings).toEqual([
      { path: 'context.environment.TZ', message: expect.stringContaining('the clock shows UTC') },
    ]);
  },
);

test.each([5, null, '', { of: 'the moon' }])(
  '%j is not read as a time zone, but only as data',
  async (TZ) => {
    const { clocks, warnings } = await clocksOf([{ TZ }]);
    expect(clocks[0]).toMatchObject({ hours: 0 });
    expect(warnings).toEqual([]);
  },
);

test('a time zone can be written in any case', async () => {
  const { clocks, warnings } = await clocksOf([{ TZ: 'asia/TOKYO' }]);
  expect(clocks[0]).toMatchObject({ hours: 9, zone: 'Asia/Tokyo' });
  expect(warnings).toEqual([]);
});

test('a time zone that a plugin sets holds until a call names one', async () => {
  const { clocks } = await clocksOf(
    [{}, {}, { TZ: 'Asia/Tokyo' }],
    `let calls = 0;
     export const execute = () => {
       if (calls++ === 0) process.env.TZ = 'America/New_York';
       return new Date(0).getHours();
     };`,
  );
  expect(clocks).toEqual([19, 19, 9]);
});

test('a plugin that replaces built-in objects cannot change the clock of another call', async () => {
  const { clocks } = await clocksOf(
    [{}, { TZ: 'Asia/Tokyo' }],
    `export const execute = () => {
       Intl.DateTimeFormat = class { constructor() { throw new Error('no'); } };
       RegExp.prototype.test = RegExp.prototype.exec = () => { throw new Error('no'); };
       return new Date(0).getHours();
     };`,
  );
  expect(clocks).toEqual([0, 9]);
});
