import fc from 'fast-check';
import { expect, test } from 'vitest';
import { parseJson } from '../../src/json/reader.ts';
import { ThrownInside } from '../../src/runner/result.ts';
import { anyValue, canonical, crossing } from '../helpers/values.ts';

// As the host does: `JSON.parse` of V8 13.6 takes the key `"` for `\\` where it has seen an object with that one.
function read(json: string): unknown {
  const reading = parseJson(json, { allowsProto: true });
  return reading.ok ? reading.value : expect.unreachable(`refused: ${json}`);
}

const LIMITS = { depth: 64, values: 100_000, bytes: 16 * 1024 * 1024 };

test('any nested value crosses in its documented form, with a warning for each changed one', async () => {
  await fc.assert(
    fc.asyncProperty(anyValue({ refuses: false }), async (make) => {
      const { value, form, warned, kind } = make();
      if (kind === 'lost') return;
      const { json, warnings } = await crossing(value, LIMITS);
      expect(canonical(read(json))).toBe(canonical(form));
      if (warned.length <= 20 && kind !== 'nothing')
        expect(warnings.map(({ path }) => path).sort()).toEqual(warned.map((path) => `result${path}`).sort());
    }),
    { numRuns: 3_000 },
  );
}, 60_000);

test('a result with a value that cannot cross is refused with its path', async () => {
  await fc.assert(
    fc.asyncProperty(anyValue({ refuses: true }), async (make) => {
      const { value, refused } = make();
      const told = await crossing(value, LIMITS).then(
        () => '',
        (error: Error | ThrownInside) => (error instanceof ThrownInside ? `${error.thrown}` : error.message),
      );
      const isOneOfThem = refused.some((path) => told.startsWith(`\`result${path}\` `));
      // To wait for a revoked proxy is refused by the language itself.
      if (refused.length > 0 && !isOneOfThem) expect(told).toMatch(/Cannot perform/);
    }),
    { numRuns: 3_000 },
  );
}, 60_000);
