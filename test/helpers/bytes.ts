import fc from 'fast-check';

const latin1 = (text: string): Buffer => Buffer.from(text, 'latin1');

/** What steers a reader, or looks as if it did. */
const SPECIAL = [
  latin1('\u001e'),
  latin1('\n'),
  latin1('\u001e\n'),
  latin1('\n\u001e'),
  latin1('\r\n'),
  latin1('\0'),
  latin1('\u001e{}\n'),
  latin1('\u001e{"jsonrpc":"2.0","id":1,"result":1}\n'),
  latin1('\u001e{"jsonrpc":"2.0","method":"ready","params":{"protocol":1,"node":"v24"}}\n'),
  latin1('\u001e{"jsonrpc":"2.0","method":"log","params":{"level":"info","message":"'),
  Buffer.from('\u001e"今日は\u2028👋"\n'),
  // No UTF-8: a character cut short, a lone continuation, an overlong slash, a surrogate.
  Buffer.of(0xe2, 0x82),
  Buffer.of(0x80),
  Buffer.of(0xc0, 0xaf),
  Buffer.of(0xed, 0xa0, 0x80),
  Buffer.of(0xff, 0xfe),
  // Byte order marks.
  Buffer.of(0xef, 0xbb, 0xbf),
  // Headers of the engine's own framing, inside a payload.
  Buffer.of(1, 0, 0, 0, 0, 0, 0, 5),
  Buffer.of(2, 0, 0, 0, 0, 0, 0, 0),
  Buffer.of(1, 0, 0, 0, 0xff, 0xff, 0xff, 0xff),
];

/** Any bytes, and often such as a reader of records or of frames has to take care of. */
export const anyBytes: fc.Arbitrary<Buffer> = fc
  .array(
    fc.oneof(
      fc.uint8Array({ maxLength: 24 }).map((bytes) => Buffer.from(bytes)),
      fc.constantFrom(...SPECIAL),
      fc.string({ unit: 'binary', maxLength: 12 }).map((text) => Buffer.from(text)),
      fc
        .tuple(fc.constantFrom(0x78, 0x0a, 0x1e), fc.nat(80))
        .map(([byte, count]) => Buffer.alloc(count, byte)),
    ),
    { maxLength: 16 },
  )
  .map((parts) => Buffer.concat(parts));

/** Where to cut a stream; most streams are shorter than the last of these places. */
export const anyCuts: fc.Arbitrary<number[]> = fc.array(fc.oneof(fc.nat(40), fc.nat(400), fc.nat(4000)));

/** A stream in pieces of one byte. */
export function toSingleBytes(stream: Buffer): Buffer[] {
  return [...stream].map((byte) => Buffer.of(byte));
}
