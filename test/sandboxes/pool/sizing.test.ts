import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Arrivals, gainOf, missShare, targetSize } from '../../../src/sandboxes/pool/sizing.ts';

const rates = fc.double({ min: 0.001, max: 500, noNaN: true });
const sizes = fc.integer({ min: 1, max: 64 });

describe('the share of calls that find no waiting container', () => {
  test.each([
    [0.5, 1, 1 / 3],
    [1, 2, 0.2],
    [4, 9, 0.0133],
  ])('for %d arrivals in the time of a refill and %d waiting containers is %d', (offered, size, share) => {
    expect(missShare(offered, size)).toBeCloseTo(share, 3);
  });

  test('falls with every further waiting container, and by less each time', () => {
    fc.assert(
      fc.property(rates, sizes, (offered, size) => {
        const [before, now, then] = [size - 1, size, size + 1].map((n) => missShare(offered, n));
        expect(now).toBeLessThan(before as number);
        expect((now as number) - (then as number)).toBeLessThanOrEqual(
          (before as number) - (now as number) + 1e-12,
        );
      }),
    );
  });
});

describe('the wanted number of waiting containers', () => {
  test('is 0 without calls, and 1 after a call', () => {
    expect(targetSize(0, 500)).toBe(0);
    expect(targetSize(1 / 60, 500)).toBe(1);
  });

  test('leaves one call in a hundred without a container, or is the maximum', () => {
    fc.assert(
      fc.property(rates, (perSecond) => {
        const size = targetSize(perSecond, 200);
        expect(size === 64 || missShare(perSecond * 0.2, size) <= 0.01).toBe(true);
        expect(size === 1 || missShare(perSecond * 0.2, size - 1) > 0.01).toBe(true);
      }),
    );
  });

  test('gains most for the plugin that is called most', () => {
    expect(gainOf(1, 10, 200)).toBeGreaterThan(gainOf(1, 1, 200));
    expect(gainOf(2, 10, 200)).toBeLessThan(gainOf(1, 10, 200));
  });
});

describe('arrivals of calls', () => {
  test('are counted for one minute and then forgotten', () => {
    const arrivals = new Arrivals();
    arrivals.record(1_000);
    expect(arrivals.perSecond(30_000)).toBeCloseTo(1 / 60);
    expect(arrivals.perSecond(70_000)).toBe(0);
  });

  test('in a rush count at once, but one or two are not a rush', () => {
    const arrivals = new Arrivals();
    arrivals.record(0);
    arrivals.record(0);
    expect(arrivals.perSecond(0)).toBeCloseTo(2 / 60);
    arrivals.record(10);
    expect(arrivals.perSecond(10)).toBeCloseTo(3 / 6);
    expect(arrivals.perSecond(10_000)).toBeCloseTo(3 / 60);
  });

  test('are counted in spite of a clock that stands still or a pause of hours', () => {
    const arrivals = new Arrivals();
    for (let call = 0; call < 100; call++) arrivals.record(5_000);
    expect(arrivals.perSecond(5_000)).toBeCloseTo(100 / 6);
    expect(arrivals.perSecond(36_000_000)).toBe(0);
  });
});
