import fc from 'fast-check';
import { expect, test } from 'vitest';
import { LinkedSet } from '../../../src/calls/admission/linked-set.ts';
import { Tallies } from '../../../src/calls/admission/tallies.ts';

test('the largest tally is known after every change', () => {
  const steps = fc.array(fc.record({ key: fc.constantFrom('a', 'b', 'c', 'd'), isMore: fc.boolean() }));
  fc.assert(
    fc.property(steps, (changes) => {
      const tallies = new Tallies();
      const counts = new Map<string, number>();
      for (const { key, isMore } of changes) {
        const count = counts.get(key) ?? 0;
        if (!isMore && count === 0) continue;
        tallies.change(key, isMore ? 1 : -1);
        counts.set(key, isMore ? count + 1 : count - 1);
        if (counts.get(key) === 0) counts.delete(key);
        const highest = Math.max(0, ...counts.values());
        expect(tallies.size).toBe(counts.size);
        expect(tallies.of(key)).toBe(counts.get(key) ?? 0);
        expect(tallies.most?.count ?? 0).toBe(highest);
        if (tallies.most !== null) expect(counts.get(tallies.most.key)).toBe(highest);
      }
    }),
  );
});

test('a linked set keeps its items in order, whatever is taken out', () => {
  fc.assert(
    fc.property(fc.array(fc.nat(9)), (steps) => {
      const [linked, model] = [new LinkedSet<number>(), new Set<number>()];
      for (const item of steps) {
        if (model.has(item)) expect(linked.delete(item)).toBe(model.delete(item));
        else {
          expect(linked.delete(item)).toBe(false);
          linked.add(item);
          model.add(item);
        }
        expect([...linked]).toEqual([...model]);
        expect([linked.first, linked.last]).toEqual([[...model][0] ?? null, [...model].at(-1) ?? null]);
        expect(linked.size).toBe(model.size);
      }
    }),
  );
});
