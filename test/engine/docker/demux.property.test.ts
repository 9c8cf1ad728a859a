import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Demuxer } from '../../../src/engine/docker/demux.ts';
import { anyBytes, anyCuts, toSingleBytes } from '../../helpers/bytes.ts';
import { toFrame } from '../../helpers/fake-engine.ts';
import { splitAt } from '../../helpers/split.ts';

/** What came out, neighbours of one stream put together, and the error that ended it, if one did. */
function demux(chunks: readonly Buffer[]): (readonly [string, string])[] {
  const demuxer = new Demuxer();
  const heard: [string, string][] = [];
  try {
    for (const chunk of chunks) {
      for (const { stream, bytes } of demuxer.push(chunk)) {
        const last = heard.at(-1);
        if (last?.[0] === stream) last[1] += bytes.toString('latin1');
        else heard.push([stream, bytes.toString('latin1')]);
      }
    }
  } catch (error) {
    expect(error).toBeInstanceOf(RangeError);
    heard.push(['error', String(error)]);
  }
  return heard;
}

const MAX_FRAME_BYTES = 1024 * 1024;

/** The same in the plainest way there is: with the whole stream at hand. */
function model(stream: Buffer): [string, string][] {
  const heard: [string, string][] = [];
  for (let at = 0; at + 8 <= stream.length; ) {
    const [kind = 0, a, b, c] = stream.subarray(at, at + 8);
    const length = stream.readUInt32BE(at + 4);
    const isHeader = (kind === 1 || kind === 2) && a === 0 && b === 0 && c === 0 && length <= MAX_FRAME_BYTES;
    if (!isHeader) {
      heard.push(['error', stream.toString('hex', at, at + 8)]);
      break;
    }
    const name = kind === 1 ? 'stdout' : 'stderr';
    const text = stream.toString('latin1', at + 8, at + 8 + length);
    at += 8 + length;
    const last = heard.at(-1);
    if (text === '') continue;
    if (last?.[0] === name) last[1] += text;
    else heard.push([name, text]);
  }
  return heard;
}

const withoutReason = (heard: readonly (readonly [string, string])[]) =>
  heard.map(([kind, text]) => (kind === 'error' ? [kind, /[0-9a-f]{16}$/.exec(text)?.[0]] : [kind, text]));

const anyFrame = fc
  .tuple(fc.constantFrom('stdout' as const, 'stderr' as const), anyBytes)
  .map(([name, payload]) => toFrame(name, payload));

/** Frames, and now and then bytes that are none, or the end in the middle of one. */
const anyStream = fc
  .tuple(fc.array(fc.oneof({ weight: 9, arbitrary: anyFrame }, anyBytes), { maxLength: 8 }), fc.nat(20))
  .map(([parts, lost]) => {
    const stream = Buffer.concat(parts);
    return stream.subarray(0, Math.max(0, stream.length - lost));
  });

test('any bytes, however they are cut, are read like the whole stream', () => {
  fc.assert(
    fc.property(fc.oneof(anyStream, anyBytes), anyCuts, (stream, cuts) => {
      const expected = withoutReason(model(stream));
      expect(withoutReason(demux([stream]))).toEqual(expected);
      expect(withoutReason(demux(splitAt(stream, cuts)))).toEqual(expected);
      expect(withoutReason(demux(toSingleBytes(stream)))).toEqual(expected);
    }),
    { numRuns: 500 },
  );
});

test('a stream of two frames is read the same with a cut at any place', () => {
  const stream = Buffer.concat([
    toFrame('stdout', Buffer.from('\u001e{"a":1}\n\x01\0\0\0\0\0\0\x05')),
    toFrame('stderr', Buffer.from([2, 0, 0, 0, 0, 0, 0, 1, 0xff])),
  ]);
  const whole = demux([stream]);
  expect(whole).toHaveLength(2);
  for (let cut = 0; cut <= stream.length; cut++) expect(demux(splitAt(stream, [cut]))).toEqual(whole);
});
