import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type Room, shareOut, type Wish } from '../../../src/sandboxes/pool/share-out.ts';

const NO_END = { count: Number.POSITIVE_INFINITY, bytes: Number.POSITIVE_INFINITY };

/** Each further container of it gains half of what the one before did. */
function wish(target: number, first: number, changes: Partial<Wish> = {}): Wish {
  return { memoryBytes: 1, firm: 0, target, gain: (size) => first / 2 ** (size - 1), ...changes };
}

function sharesOf(wishes: readonly Wish[], room: Partial<Room>): number[] {
  return [...shareOut(new Map(wishes.entries()), { ...NO_END, ...room }).values()];
}

describe('waiting containers are shared', () => {
  test.each<[string, Wish[], Partial<Room>, number[]]>([
    ['not at all where there is no plugin', [], {}, []],
    ['so that all plugins get what they ask for, where there is room', [wish(3, 1), wish(2, 9)], {}, [3, 2]],
    ['first to the plugin that gains most', [wish(9, 8), wish(9, 2)], { count: 4 }, [3, 1]],
    ['first to the earlier plugin, where both gain the same', [wish(9, 1), wish(9, 1)], { count: 3 }, [2, 1]],
    [
      'first to a plugin whose number is promised',
      [wish(9, 100), wish(2, 0, { firm: 2 })],
      { count: 3 },
      [1, 2],
    ],
    [
      'first to the earlier one of two promised plugins',
      [wish(2, 1, { firm: 2 }), wish(2, 9, { firm: 2 })],
      { count: 3 },
      [2, 1],
    ],
    ['up to the memory', [wish(9, 8, { memoryBytes: 4 }), wish(9, 1)], { bytes: 10 }, [2, 2]],
    [
      'but not with a plugin that never fits',
      [wish(1, 8, { memoryBytes: 11 }), wish(1, 1)],
      { bytes: 10 },
      [0, 1],
    ],
    ['with no plugin where the maximum is 0', [wish(1, 8, { firm: 1 })], { count: 0 }, [0]],
  ])('%s', (_title, wishes, room, shares) => {
    expect(sharesOf(wishes, room)).toEqual(shares);
  });
});

/** The same in plain words: looks at everybody for every container. */
function shareOutSlowly(wishes: readonly Wish[], { count, bytes }: Room): number[] {
  const shares = wishes.map(() => 0);
  const give = (who: number): boolean => {
    const { memoryBytes = 0 } = wishes[who] ?? {};
    if (count < 1 || bytes < memoryBytes) return false;
    [count, bytes] = [count - 1, bytes - memoryBytes];
    shares[who] = (shares[who] ?? 0) + 1;
    return true;
  };
  for (const [who, { firm }] of wishes.entries()) for (let size = 0; size < firm && give(who); size++);
  const wishing = new Set(wishes.keys());
  for (;;) {
    let [best, most] = [-1, Number.NEGATIVE_INFINITY];
    for (const who of wishing) {
      const { target, gain } = wishes[who] as Wish;
      const size = shares[who] ?? 0;
      if (size < target && gain(size + 1) > most) [best, most] = [who, gain(size + 1)];
    }
    if (best === -1) return shares;
    if (!give(best)) wishing.delete(best);
  }
}

test('the shares equal those of a plain search over all plugins for each container', () => {
  const few = fc.integer({ min: 0, max: 5 });
  const anyWish = fc
    .record({ memoryBytes: fc.integer({ min: 1, max: 4 }), firm: few, more: few, gains: fc.array(few) })
    .map(({ firm, more, gains, memoryBytes }) => {
      return { memoryBytes, firm, target: firm + more, gain: (size: number) => gains[size] ?? 0 };
    });
  const anyRoom = fc.record({
    count: fc.integer({ min: 0, max: 30 }),
    bytes: fc.integer({ min: 0, max: 60 }),
  });
  fc.assert(
    fc.property(fc.array(anyWish, { maxLength: 8 }), anyRoom, (wishes, room) => {
      expect(sharesOf(wishes, room)).toEqual(shareOutSlowly(wishes, room));
    }),
  );
});

test.each([32, 5_000])(
  'sharing %i containers among a thousand plugins computes each gain once, and one more for each container',
  (count) => {
    let looks = 0;
    const gain = (size: number): number => {
      looks++;
      return 1 / size;
    };
    const shares = sharesOf(Array(1_000).fill(wish(3, 1, { gain })), { count });
    const given = shares.reduce((sum, share) => sum + share, 0);
    expect(given).toBe(Math.min(count, 3_000));
    expect(looks).toBeLessThanOrEqual(1_000 + given);
  },
);

test('no gain is computed when no room is left', () => {
  const gain = (): number => expect.unreachable();
  expect(sharesOf([wish(2, 1, { firm: 2, gain }), wish(3, 1, { gain })], { count: 2 })).toEqual([2, 0]);
});
