import { expect, test } from 'vitest';
import { LogBook } from '../../src/execution/logs.ts';

function filledWith(count: number, message: string): LogBook {
  const book = new LogBook();
  for (let line = 0; line < count; line++) book.add('info', 'stdout', message);
  return book;
}

test('lines are kept as they came', () => {
  const book = new LogBook();
  book.add('warn', 'stderr', '\u001b[31mred\u2028');
  expect(book.lines).toEqual([{ level: 'warn', source: 'stderr', message: '\u001b[31mred\u2028' }]);
  expect(book.warnings()).toEqual([]);
});

test.each([
  ['1000 lines', 1_000, 'x', 1_000, 0],
  ['one line more', 1_001, 'x', 1_000, 1],
  ['a flood of empty lines', 100_000, '', 1_000, 99_000],
  ['256 Ki characters', 32, 'x'.repeat(8_192), 32, 0],
  ['one long line more', 33, 'x'.repeat(8_192), 32, 1],
  ['a line longer than all together may be', 1, 'x'.repeat(256 * 1024 + 1), 0, 1],
])('of %s so many are kept, and the rest is counted', (_title, count, message, kept, dropped) => {
  const book = filledWith(count, message);
  expect(book.lines).toHaveLength(kept);
  expect(book.warnings()).toEqual(
    dropped === 0
      ? []
      : [`${dropped} log lines over the limit of 1000 lines or 262144 characters were dropped`],
  );
});

test('that stderr was cut is a warning of its own', () => {
  const book = filledWith(1_001, 'x');
  book.cutStderr(4096);
  expect(book.warnings()).toEqual([
    '1 log lines over the limit of 1000 lines or 262144 characters were dropped',
    'stderr was dropped after its first 4096 bytes',
  ]);
});
