import fc from 'fast-check';
import { expect, test } from 'vitest';
import { parseContext } from '../../src/calls/context.ts';
import { readContext } from '../../src/calls/read-context.ts';

async function endOf(read: () => unknown): Promise<unknown> {
  try {
    return { value: await read() };
  } catch (error) {
    return { error };
  }
}

const sparse = [1, 2];
sparse[5] = 3;
const circle: Record<string, unknown> = {};
circle['self'] = circle;
const deep = (levels: number): unknown => (levels === 0 ? 1 : [deep(levels - 1)]);

test.each<[string, unknown]>([
  ['nothing', {}],
  ['no object', 3],
  ['a list', []],
  ['names of both kinds', { user_id: 'u', sessionId: 's', input_data: [1, { a: null }] }],
  ['two spellings of one name', { user_id: 'u', userId: 'v' }],
  ['an undefined field', { userId: undefined, config: { a: 1 } }],
  ['an undefined field of the input', { inputData: { a: undefined } }],
  ['an unknown key', { user: 'u', inputData: { a: 1 } }],
  ['a number that is not a number', { inputData: Number.NaN }],
  ['a date', { inputData: new Date(0) }],
  ['a symbol', { environment: { a: Symbol.for('x') } }],
  ['a list of parameters', { parameters: [] }],
  ['a null configuration', { config: null }],
  ['a list with holes', { inputData: sparse }],
  ['a circle', { inputData: circle }],
  ['63 levels', { inputData: deep(63) }],
  ['64 levels', { inputData: deep(64) }],
  ['keys that every object has', { inputData: { constructor: 1, toString: 2 } }],
  ['a forbidden key', JSON.parse('{"inputData":{"__proto__":1}}')],
  [
    'a getter that throws',
    {
      inputData: {
        get a() {
          throw new Error('x');
        },
      },
    },
  ],
])('the reader of contexts reads %s as `parseContext` does', async (_what, written) => {
  expect(await endOf(() => readContext(written))).toEqual(await endOf(() => parseContext(written)));
});

test('the reader of contexts reads any JSON as `parseContext` does', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.jsonValue({ maxDepth: 5 }),
      fc.dictionary(fc.string(), fc.jsonValue()),
      async (inputData, config) => {
        const written = { inputData, config } as object;
        expect(await endOf(() => readContext(written))).toEqual(await endOf(() => parseContext(written)));
      },
    ),
    { numRuns: 200 },
  );
});

test('a small context is read at once, and shares nothing with its source', () => {
  const inputData = { list: [1] };
  const read = readContext({ inputData });
  expect(read).not.toBeInstanceOf(Promise);
  inputData.list.push(2);
  expect(read).toMatchObject({ inputData: { list: [1] } });
});

test('reading a million values does not hold up the event loop for long', async () => {
  const inputData = Array.from({ length: 1_000_000 }, (_, index) => index);
  let turns = 0;
  const clock = setInterval(() => turns++, 0);
  const { inputData: read } = await readContext({ inputData });
  clearInterval(clock);
  expect(read).toHaveLength(1_000_000);
  expect(turns).toBeGreaterThan(3);
});
