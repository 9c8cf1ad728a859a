import { describe, expect, test } from 'vitest';
import { type FormerKey, toNewKeys } from '../../src/policy/former-keys.ts';
import { checkPolicy, parsePolicy } from '../../src/policy/load.ts';

const FORMER = {
  runtime: 'runsc',
  plugins: { weather: { record: true }, clock: { runtime: 'crun' }, news: { warm: 2 } },
};
const TODAY = {
  oci_runtime: 'runsc',
  plugins: { weather: { record_calls: true }, clock: { oci_runtime: 'crun' }, news: { warm: 2 } },
};

test('a policy of 1.0 means the same under the new names, and its former names are reported', async () => {
  const told: FormerKey[] = [];
  const policy = await parsePolicy(FORMER, { onFormerKeys: (keys) => told.push(...keys) });
  expect(policy).toEqual(await parsePolicy(TODAY));
  expect(told).toEqual([
    { path: 'runtime', now: 'oci_runtime' },
    { path: 'plugins.weather.record', now: 'plugins.weather.record_calls' },
    { path: 'plugins.clock.runtime', now: 'plugins.clock.oci_runtime' },
  ]);
});

test('a policy with the new names gives no warning', async () => {
  await parsePolicy(TODAY, { onFormerKeys: () => expect.unreachable() });
  expect(toNewKeys(TODAY).value).toBe(TODAY);
});

describe('a key of a policy is refused', () => {
  test.each<[string, object, string]>([
    ['under both of its names', { runtime: 'runc', oci_runtime: 'runc' }, 'runtime'],
    [
      'under both of its names for one plugin',
      { plugins: { weather: { record_calls: true, record: true } } },
      'plugins.weather.record',
    ],
  ])('%s', (_what, policy, path) => {
    const message = expect.stringMatching(/earlier name of `(oci_runtime|record_calls)`.*leave it out/);
    expect(checkPolicy(policy)).toEqual({ ok: false, problems: [{ path, message }] });
  });

  test('with a wrong value at the place where it was written', () => {
    expect(checkPolicy({ plugins: { weather: { runtime: '/usr/bin/runc' } } })).toEqual({
      ok: false,
      problems: [{ path: 'plugins.weather.runtime', message: expect.stringContaining('OCI runtime') }],
    });
  });

  test('under a former name where that was never valid', () => {
    expect(checkPolicy({ record: true })).toMatchObject({ ok: false, problems: [{ path: 'record' }] });
  });
});

test.each([null, 1, 'text', [], { plugins: null }, { plugins: [] }, { plugins: { a: null } }])(
  'a value that is not a policy is left unchanged: %j',
  (value) => {
    expect(toNewKeys(value)).toEqual({ value, formerKeys: [], problems: [] });
  },
);
