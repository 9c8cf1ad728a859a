import fc from 'fast-check';
import { expect, test } from 'vitest';
import { chooseUid, DEFAULT_UID_RANGE, isInRange } from '../../src/policy/uids.ts';

const name = fc.string({ minLength: 1, maxLength: 20 });

test('a plugin of a workspace always gets the same user id, from the range', () => {
  fc.assert(
    fc.property(name, name, fc.integer({ min: 1, max: 500 }), (workspace, plugin, size) => {
      const range = { first: 30_000, last: 30_000 + size - 1 };
      const uid = chooseUid(range, { workspace, plugin }, () => false);
      expect(uid).not.toBeNull();
      expect(isInRange(uid ?? 0, range)).toBe(true);
      expect(chooseUid(range, { workspace, plugin }, () => false)).toBe(uid);
    }),
  );
});

test('as many plugins as the range has user ids get one each, and the next gets none', () => {
  const range = { first: 30_000, last: 30_099 };
  const given = new Set<number>();
  for (let index = 0; index < 100; index++) {
    const uid = chooseUid(range, { workspace: '/w', plugin: `p${index}` }, (number) => given.has(number));
    given.add(uid ?? 0);
  }
  expect(given.size).toBe(100);
  expect([...given].every((uid) => isInRange(uid, range))).toBe(true);
  expect(chooseUid(range, { workspace: '/w', plugin: 'p100' }, (uid) => given.has(uid))).toBeNull();
});

test('plugins of the same name in other workspaces start at another user id', () => {
  const uids = Array.from({ length: 50 }, (_, index) =>
    chooseUid(DEFAULT_UID_RANGE, { workspace: `/srv/agent-${index}`, plugin: 'weather' }, () => false),
  );
  expect(new Set(uids).size).toBeGreaterThan(45);
});
