import fc from 'fast-check';
import { expect, test } from 'vitest';
import { type PluginEvent, toPluginEvent } from '../../src/events/event.ts';

const now = () => new Date(0);
const make = (extra: Partial<PluginEvent>) =>
  toPluginEvent({ eventType: 'EXECUTE', pluginName: 'weather', ...extra }, now);

function isFrozenThroughout(value: unknown): boolean {
  if (value === null || typeof value !== 'object') return true;
  return Object.isFrozen(value) && Object.values(value).every(isFrozenThroughout);
}

test('an event with any metadata is frozen plain JSON of bounded size', () => {
  fc.assert(
    fc.property(
      fc.anything({ withBigInt: true, withDate: true, withMap: true }),
      fc.string(),
      (value, text) => {
        const event = make({ metadata: { value } as never, message: text.repeat(1000), error: text });
        expect(isFrozenThroughout(event)).toBe(true);
        expect(JSON.parse(JSON.stringify(event))).toEqual(event);
        expect(Buffer.byteLength(JSON.stringify(event.metadata))).toBeLessThanOrEqual(8 * 1024);
        expect(event.message?.length).toBeLessThanOrEqual(2_000);
      },
    ),
    { examples: [[{ deep: [{ er: [1, null, -0, Number.NaN, undefined] }] }, '']] },
  );
});

test('an event shares nothing with its source', () => {
  const metadata = { list: [1, { two: 2 }] };
  const event = make({ metadata });
  metadata.list.push(3);
  expect(event.metadata).toEqual({ list: [1, { two: 2 }] });
});

test('texts are cut without splitting a character', () => {
  const { message, pluginName } = make({ message: '👋'.repeat(1500), pluginName: 'x'.repeat(1000) });
  expect(message).toBe(`${'👋'.repeat(999)}…`);
  expect(pluginName).toHaveLength(256);
});

const cyclic: Record<string, unknown> = {};
cyclic['self'] = cyclic;
const nested = JSON.parse(`${'{"a":'.repeat(1_000)}1${'}'.repeat(1_000)}`);

test.each([
  ['too many characters', { text: 'x'.repeat(8 * 1024) }, 'more than 8 KiB of JSON'],
  ['too many bytes in few characters', { text: '\0'.repeat(2_000) }, 'more than 8 KiB of JSON'],
  ['too many values', { list: Array(5_000).fill(1) }, 'more than 8 KiB of JSON'],
  ['a cycle', cyclic, 'nested deeper than 16 levels'],
  ['deep nesting', nested, 'nested deeper than 16 levels'],
  ['a function', { run: () => 1 }, 'it holds something that is no plain JSON'],
  ['a date', { at: new Date(0) }, 'it holds something that is no plain JSON'],
  ['a big integer', { count: 1n }, 'it holds something that is no plain JSON'],
  [
    'a key that sets the prototype',
    JSON.parse('{"__proto__":{"polluted":true}}'),
    'it has a key `__proto__`',
  ],
  ['a list', [1], 'it is no object'],
  [
    'a getter that throws',
    Object.defineProperty({}, 'x', { enumerable: true, get: () => expect.fail() }),
    'unreadable',
  ],
])('metadata with %s is replaced by a note', (_, metadata, why) => {
  expect(make({ metadata: metadata as never }).metadata).toEqual({ note: `Left out: ${why}.` });
});

test('a huge metadata object costs no more than its limit', () => {
  const text = 'x'.repeat(50_000_000);
  const before = process.threadCpuUsage();
  for (let round = 0; round < 1_000; round++) make({ metadata: { text, list: [text] } });
  const { user, system } = process.threadCpuUsage(before);
  expect((user + system) / 1_000).toBeLessThan(1_000); // Microseconds each.
});
