import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type FramingLimits, frameRecord, RecordReader } from '../../src/protocol/framing.ts';
import { splitAt } from '../helpers/split.ts';

const LIMITS: FramingLimits = { maxRecordBytes: 32, maxLineBytes: 16 };

/** The pieces as short texts: `record:…`, `line:…`, `overflow:<limit>`. */
function read(chunks: readonly Buffer[], limits: FramingLimits = LIMITS): string[] {
  const reader = new RecordReader(limits);
  const pieces = [...chunks.flatMap((chunk) => [...reader.push(chunk)]), ...reader.end()];
  return pieces.map((piece) =>
    piece.kind === 'overflow'
      ? `overflow:${piece.limitBytes}`
      : `${piece.kind}:${piece.bytes.toString('latin1')}`,
  );
}

const bytesOf = (text: string): Buffer => Buffer.from(text, 'latin1');

describe('a stream is split into', () => {
  test.each<[string, string, string[]]>([
    ['nothing', '', []],
    ['a record', '\u001e{}\n', ['record:{}']],
    ['records side by side', '\u001e1\n\u001e2\n', ['record:1', 'record:2']],
    ['an empty record', '\u001e\n', ['record:']],
    ['a record that the next one cuts off', '\u001e{"a\u001e2\n', ['record:{"a', 'record:2']],
    ['a line', 'hello\n', ['line:hello']],
    ['nothing where lines are empty', '\n\n', []],
    ['a line that a record ends', 'hello\u001e1\n', ['line:hello', 'record:1']],
    ['lines around a record', 'a\n\u001e1\nb\n', ['line:a', 'record:1', 'line:b']],
    ['an unfinished line at the end', 'a\nb', ['line:a', 'line:b']],
    ['no unfinished record at the end', '\u001e{"a":1}', []],
    ['a line of exactly the limit', `${'x'.repeat(16)}\n`, [`line:${'x'.repeat(16)}`]],
    ['a longer line, cut', `${'x'.repeat(99)}\ny\n`, [`line:${'x'.repeat(16)}`, 'line:y']],
    [
      'a longer line, cut, and the record in it',
      `${'x'.repeat(99)}\u001e1\n`,
      [`line:${'x'.repeat(16)}`, 'record:1'],
    ],
    ['a record of exactly the limit', `\u001e${'x'.repeat(32)}\n`, [`record:${'x'.repeat(32)}`]],
    [
      'an overflow, and nothing after it',
      `a\n\u001e${'x'.repeat(33)}\n\u001e1\nb\n`,
      ['line:a', 'overflow:32'],
    ],
    ['a carriage return before a line feed as a part of it', 'a\r\n', ['line:a']],
    ['what is drawn over as its last state', '1 %\r2 %\r3 %\n', ['line:3 %']],
  ])('%s', (_title, text, pieces) => {
    expect(read([bytesOf(text)])).toEqual(pieces);
  });
});

test('`0x1E` that starts no record is a byte of a line like any other', () => {
  expect(read([bytesOf('a\u001eb\n\u001e1\n')], { ...LIMITS, records: false })).toEqual([
    'line:a\u001eb',
    'line:\u001e1',
  ]);
});

test('any stream is read the same however it is cut', () => {
  const part = fc.oneof(
    fc.constantFrom('\u001e', '\n', '\u001e\n', '\n\u001e', '\u001e{}\n'),
    fc.string({ maxLength: 40 }).map((text) => Buffer.from(text).toString('latin1')),
  );
  const property = fc.property(
    fc.array(part, { maxLength: 20 }),
    fc.array(fc.nat(400)),
    fc.boolean(),
    (parts, cuts, records) => {
      const stream = bytesOf(parts.join(''));
      const limits = { ...LIMITS, records };
      const whole = read([stream], limits);
      expect(read(splitAt(stream, cuts), limits)).toEqual(whole);
      expect(
        read(
          [...stream].map((byte) => Buffer.of(byte)),
          limits,
        ),
      ).toEqual(whole);
    },
  );
  fc.assert(property);
});

test('every record is read, whatever is printed between records', () => {
  const line = fc.string({ maxLength: 20 }).map((text) => text.replace(/[\n\u001e]/g, ''));
  const property = fc.property(fc.array(fc.tuple(line, fc.json())), (written) => {
    const stream = written.map(
      ([before, json]) => `${before}${frameRecord(JSON.stringify(JSON.parse(json)))}`,
    );
    const reader = new RecordReader({ maxRecordBytes: 1_000_000, maxLineBytes: 100 });
    const records = [...reader.push(Buffer.from(stream.join('')))].filter(({ kind }) => kind === 'record');
    expect(records.map((piece) => 'bytes' in piece && JSON.parse(piece.bytes.toString()))).toEqual(
      written.map(([, json]) => JSON.parse(json)),
    );
  });
  fc.assert(property);
});

test.each([
  ['short', 5],
  ['long', 100_000],
  ['nearly as long as it may be', 900_000],
])('a %s piece keeps its bytes when the stream goes on', (_what, length) => {
  const reader = new RecordReader({ maxRecordBytes: 1_000_000, maxLineBytes: 16 });
  const [first] = [...reader.push(bytesOf(`\u001e${'1'.repeat(length)}\n`))];
  const [second] = [...reader.push(bytesOf(`\u001e${'2'.repeat(length)}\n`))];
  for (const [piece, letter] of [
    [first, '1'],
    [second, '2'],
  ] as const) {
    const bytes = piece?.kind === 'record' ? piece.bytes : null;
    expect(bytes?.equals(Buffer.alloc(length, letter))).toBe(true);
  }
});

describe('memory of the reader (P5)', () => {
  const MIB = 1024 * 1024;
  const limits: FramingLimits = { maxRecordBytes: MIB, maxLineBytes: 8192 };

  function bytesHeld(): number {
    const { arrayBuffers, heapUsed } = process.memoryUsage();
    return arrayBuffers + heapUsed;
  }

  test.each([
    ['a record', bytesOf('\u001e')],
    ['a line', bytesOf('')],
  ])('is not more than what a writer of single bytes in %s wrote', (_what, start) => {
    const reader = new RecordReader(limits);
    const byte = bytesOf('x');
    reader.push(start).next();
    const before = bytesHeld();
    let pieces = 0;
    for (let count = 0; count < MIB; count++) for (const _ of reader.push(byte)) pieces++;
    expect(pieces).toBe(0);
    // What the collector has not come to yet is in it; a list of slices would be at 100 MB and more.
    expect(bytesHeld() - before).toBeLessThan(40 * MIB);
  });

  test('is at most the limit of a line for an endless line', () => {
    const reader = new RecordReader(limits);
    const chunk = Buffer.alloc(MIB, 0x78);
    for (let count = 0; count < 200; count++) expect([...reader.push(chunk)]).toEqual([]);
    const [line] = [...reader.end()];
    expect(line).toMatchObject({ kind: 'line' });
    expect(line?.kind === 'line' && line.bytes.length).toBe(8192);
  });

  test('is released after an overflow, and nothing more is read', () => {
    const reader = new RecordReader(limits);
    expect([...reader.push(Buffer.concat([bytesOf('\u001e'), Buffer.alloc(2 * MIB)]))]).toHaveLength(1);
    for (let count = 0; count < 200; count++) expect([...reader.push(Buffer.alloc(MIB, 0x0a))]).toEqual([]);
    expect([...reader.end()]).toEqual([]);
  });
});
