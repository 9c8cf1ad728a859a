import fc from 'fast-check';
import { expect, test } from 'vitest';
import { type FramingLimits, RecordReader } from '../../src/protocol/framing.ts';
import { anyBytes, anyCuts, toSingleBytes } from '../helpers/bytes.ts';
import { splitAt } from '../helpers/split.ts';

/** The pieces as short texts: `record:…`, `line:…`, `overflow:<limit>`. */
function read(chunks: readonly Buffer[], limits: FramingLimits): string[] {
  const reader = new RecordReader(limits);
  return [...chunks.flatMap((chunk) => [...reader.push(chunk)]), ...reader.end()].map((piece) =>
    piece.kind === 'overflow'
      ? `overflow:${piece.limitBytes}`
      : `${piece.kind}:${piece.bytes.toString('latin1')}`,
  );
}

/** The same in the plainest way there is: byte by byte over the whole stream. */
function model(stream: Buffer, { maxRecordBytes, maxLineBytes, records = true }: FramingLimits): string[] {
  const pieces: string[] = [];
  let kept = '';
  let inRecord = false;
  let isDrawnOver = false;
  for (const byte of stream) {
    if (byte === 0x0a || (records && byte === 0x1e)) {
      if (inRecord) pieces.push(`record:${kept}`);
      else if (kept !== '') pieces.push(`line:${kept}`);
      kept = '';
      isDrawnOver = false;
      inRecord = byte === 0x1e;
      continue;
    }
    if (!inRecord && byte === 0x0d) {
      isDrawnOver = true;
      continue;
    }
    if (isDrawnOver) kept = '';
    isDrawnOver = false;
    if (inRecord && kept.length === maxRecordBytes) return [...pieces, `overflow:${maxRecordBytes}`];
    if (inRecord || kept.length < maxLineBytes) kept += String.fromCharCode(byte);
  }
  return inRecord || kept === '' ? pieces : [...pieces, `line:${kept}`];
}

const anyLimits = fc.record({
  maxRecordBytes: fc.nat(200),
  maxLineBytes: fc.integer({ min: 1, max: 60 }),
  records: fc.boolean(),
});

test('any bytes, however they are cut, give the same records and lines as the whole stream', () => {
  fc.assert(
    fc.property(anyBytes, anyCuts, anyLimits, (stream, cuts, limits) => {
      const expected = model(stream, limits);
      expect(read([stream], limits)).toEqual(expected);
      expect(read(splitAt(stream, cuts), limits)).toEqual(expected);
      expect(read(toSingleBytes(stream), limits)).toEqual(expected);
    }),
    { numRuns: 1000 },
  );
});

test('no byte is invented, and none is lost except cut and overwritten ones', () => {
  const limits = { maxRecordBytes: 1_000_000, maxLineBytes: 1_000_000 };
  fc.assert(
    fc.property(anyBytes, anyCuts, (bytes, cuts) => {
      const stream = bytes.map((byte) => (byte === 0x0d ? 0x20 : byte));
      const ended = Buffer.concat([stream, Buffer.from('\n')]);
      const text = read(splitAt(ended, cuts), limits)
        .map((piece) => piece.slice(piece.indexOf(':') + 1))
        .join('');
      expect(text).toBe(ended.toString('latin1').replace(/[\n\u001e]/g, ''));
    }),
  );
});
