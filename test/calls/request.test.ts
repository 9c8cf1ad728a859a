import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { CANCEL_RECORD, countJsonBytes, toExecuteRecord } from '../../src/calls/request.ts';
import type { ExecuteParams } from '../../src/protocol/messages.ts';
import { watchHost } from '../helpers/host-watch.ts';

const CONTEXT = {
  executionId: 'e1',
  userId: null,
  channelId: null,
  sessionId: null,
  inputData: 'a\nb\u001e',
  parameters: {},
  environment: {},
  config: {},
};

function paramsWith(inputData: unknown): ExecuteParams {
  return { entryPoint: '/plugin/index.js', maxResultBytes: 1024, context: { ...CONTEXT, inputData } };
}

function piecesOf(params: ExecuteParams): string[] {
  const record = toExecuteRecord(params);
  return typeof record === 'string' ? [record] : [...record];
}

test('the requests of the host have a fixed form', () => {
  expect(piecesOf(paramsWith('a\nb\u001e'))).toEqual([
    '\u001e{"jsonrpc":"2.0","id":1,"method":"execute","params":{"entryPoint":"/plugin/index.js","maxResultBytes":1024,"context":' +
      '{"executionId":"e1","userId":null,"channelId":null,"sessionId":null,"inputData":"a\\nb\\u001e",' +
      '"parameters":{},"environment":{},"config":{}}}}\n',
  ]);
  expect(CANCEL_RECORD).toBe('\u001e{"jsonrpc":"2.0","method":"cancel"}\n');
});

describe('a request that is serialized in pieces', () => {
  const json = fc.jsonValue({ maxDepth: 6 });
  /** Long enough for several pieces, with characters of two halves wherever a piece may end. */
  const longText = fc
    .tuple(fc.nat(3), fc.constantFrom('x', '今', '👋', '\u0001', '\ud83d', '"'))
    .map(([before, letter]) => `${'x'.repeat(before)}${letter.repeat(80_000)}`);

  /** Too large to be written at once, with small and large members. */
  const key = fc.oneof(fc.string(), fc.nat().map(String), fc.constant('x'.repeat(5_000)));
  const member = fc.oneof(json, json, longText, fc.array(json, { minLength: 100, maxLength: 140 }));
  const large = fc.oneof(
    fc.array(member, { minLength: 60, maxLength: 140 }),
    fc.dictionary(key, member, { minKeys: 60, maxKeys: 140 }),
  );

  test.each([
    ['small', json, 300],
    ['a long text', longText, 30],
    ['large', large, 12],
  ])('equals what `JSON.stringify` gives: %s', (_title, values, numRuns) => {
    fc.assert(
      fc.property(values, (value) => {
        const params = paramsWith(value);
        const whole = JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'execute', params });
        expect(piecesOf(params).join('')).toBe(`\u001e${whole}\n`);
      }),
      { numRuns },
    );
  });

  test.each([
    ['a long text', 'x'.repeat(1_000_000)],
    ['many short ones', Array.from({ length: 100_000 }, (_, index) => `${index}`)],
  ])('has no piece that is much larger than the others: %s', (_title, value) => {
    const pieces = piecesOf(paramsWith(value));
    expect(pieces.length).toBeGreaterThan(10);
    expect(Math.max(...pieces.map(({ length }) => length))).toBeLessThan(100_000);
  });

  test('has as many bytes as were counted', async () => {
    for (const value of [
      null,
      {},
      [],
      'grüß 👋',
      '\ud83d',
      { a: [1, -0.5, true, 'x\n'] },
      '今'.repeat(100_000),
    ])
      expect(await countJsonBytes(value)).toBe(Buffer.byteLength(JSON.stringify(value)));
  });
});

test('counting 15 MB takes little memory and does not hold up the event loop (P5)', async () => {
  const { context } = paramsWith(`今${'x'.repeat(15 * 1024 * 1024)}`);
  const { cost } = await watchHost(() => countJsonBytes(context));
  expect(cost.longestBlockMs).toBeLessThan(100);
  expect(cost.memoryGrowthBytes).toBeLessThan(64 * 1024 * 1024);
});
