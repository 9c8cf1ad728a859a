import { expect, test } from 'vitest';
import { LogBook } from '../../src/calls/logs.ts';

const surplus = (text: string, source: 'stdout' | 'stderr' | 'console' = 'stdout') => ({
  source,
  bytes: Buffer.from(source === 'console' ? text : `${text}\n`),
});

test('a log has the lines in order', () => {
  const book = new LogBook();
  book.add('warn', 'stderr', '\u001b[31mred\u2028');
  expect(book.lines()).toEqual([{ level: 'warn', source: 'stderr', message: '\u001b[31mred\u2028' }]);
  expect(book.warnings()).toEqual([]);
});

test('a long log has its start and its end, and counts the lines between', () => {
  const book = new LogBook();
  book.addLine('stdout', 'first');
  for (let line = 0; line < 3_000; line++) book.addSurplus(surplus(`line ${line}`));
  book.addSurplus(surplus('the reason', 'stderr'));
  const lines = book.lines();
  expect(lines[0]).toMatchObject({ message: 'first' });
  expect(lines[1]).toEqual({ level: 'warn', source: 'lurkbox', message: '2701 lines are left out here' });
  expect(lines).toHaveLength(2 + 300);
  expect(lines.at(-1)).toEqual({ level: 'warn', source: 'stderr', message: 'the reason' });
  expect(book.warnings()).toEqual(['2701 log lines between the first and the last ones were left out']);
});

test('an empty line is left out, wherever the stream is cut', () => {
  const book = new LogBook();
  book.addSurplus({ source: 'stderr', bytes: Buffer.from('one') });
  book.addSurplus({ source: 'stderr', bytes: Buffer.from('\n\n') });
  book.addSurplus({ source: 'stderr', bytes: Buffer.from('\ntwo\n') });
  expect(book.lines().map(({ message }) => message)).toEqual(['one', 'two']);
  expect(book.warnings()).toEqual([]);
});

test('the end of a log has at most 64 KiB', () => {
  const book = new LogBook();
  for (let line = 0; line < 100; line++) book.addSurplus(surplus('x'.repeat(8192)));
  expect(book.lines()).toHaveLength(1 + 6);
});

test('log records among the last lines are read, and other records are left out', () => {
  const book = new LogBook();
  book.addSurplus(
    surplus('{"jsonrpc":"2.0","method":"log","params":{"level":"error","message":"why"}}', 'console'),
  );
  book.addSurplus(surplus('{"jsonrpc":"2.0","method":"log",', 'console'));
  expect(book.lines().at(-1)).toEqual({ level: 'error', source: 'console', message: 'why' });
  expect(book.warnings()).toEqual(['1 log lines between the first and the last ones were left out']);
});

test('values that were changed on the way are reported with their path, up to a limit', () => {
  const book = new LogBook();
  book.warn('result.mean', 'is NaN');
  for (let index = 0; index < 100; index++) book.warn('', 'x'.repeat(5_000));
  expect(book.warnings()[0]).toBe('`result.mean` is NaN');
  expect(book.warnings()).toHaveLength(40);
  expect(book.warnings()[1]).toHaveLength(1_000);
});

test('a warning stays on one line, with control characters escaped', () => {
  const book = new LogBook();
  book.warn('a\n\u001b[2Jb', 'is\u202e odd');
  book.warn('', `${'x'.repeat(999)}\u{1f600}`);
  expect(book.warnings()[0]).toBe('`a\\u000a\\u001b[2Jb` is\\u202e odd');
  expect(book.warnings()[1]).toBe('x'.repeat(999));
});

test('the cost of a short piece does not grow with the length of a flood', () => {
  const book = new LogBook();
  const beganAt = performance.now();
  for (let piece = 0; piece < 400_000; piece++) book.addSurplus(surplus('ab'));
  // Where the rest is moved for each of them, it takes ten times as long.
  expect(performance.now() - beganAt).toBeLessThan(2_000);
  expect(book.lines()).toHaveLength(1 + 300);
});

test('a log says that lines were cut', () => {
  const book = new LogBook();
  book.addLine('stdout', 'x'.repeat(8192), 10);
  expect(book.warnings()).toEqual(['1 log lines were longer than 8192 bytes and were cut']);
});
