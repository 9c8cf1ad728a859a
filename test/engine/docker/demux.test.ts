import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Demuxer } from '../../../src/engine/docker/demux.ts';
import { toFrame } from '../../helpers/fake-engine.ts';
import { splitAt } from '../../helpers/split.ts';

type Slice = readonly [stream: string, text: string];

/** Slices as text, with neighbours of one stream put together: where a chunk ends is not part of the meaning. */
function demux(chunks: readonly Buffer[]): Slice[] {
  const demuxer = new Demuxer();
  const slices: [string, string][] = [];
  for (const { stream, bytes } of chunks.flatMap((chunk) => [...demuxer.push(chunk)])) {
    const last = slices.at(-1);
    if (last?.[0] === stream) last[1] += bytes.toString('latin1');
    else slices.push([stream, bytes.toString('latin1')]);
  }
  return slices;
}

const frame = fc.tuple(
  fc.constantFrom('stdout' as const, 'stderr' as const),
  fc.uint8Array({ maxLength: 40 }).map((bytes) => Buffer.from(bytes)),
);

test('an attach stream is read the same however it is cut', () => {
  fc.assert(
    fc.property(fc.array(frame, { maxLength: 12 }), fc.array(fc.nat(600)), (frames, cuts) => {
      const stream = Buffer.concat(frames.map(([name, payload]) => toFrame(name, payload)));
      const whole = demux([stream]);
      expect(demux(splitAt(stream, cuts))).toEqual(whole);
      expect(demux([...stream].map((byte) => Buffer.of(byte)))).toEqual(whole);
      for (const name of ['stdout', 'stderr'] as const) {
        const payload = Buffer.concat(frames.filter(([of]) => of === name).map(([, bytes]) => bytes));
        const read = whole.filter(([of]) => of === name).map(([, text]) => text);
        expect(read.join('')).toBe(payload.toString('latin1'));
      }
    }),
  );
});

test('a frame is passed on as it arrives, before it is complete', () => {
  const demuxer = new Demuxer();
  const stream = toFrame('stdout', Buffer.from('abcdef'));
  expect([...demuxer.push(stream.subarray(0, 11))].map(({ bytes }) => bytes.toString())).toEqual(['abc']);
  expect([...demuxer.push(stream.subarray(11))].map(({ bytes }) => bytes.toString())).toEqual(['def']);
});

test('a payload is not copied', () => {
  const chunk = toFrame('stdout', Buffer.alloc(1000));
  const [slice] = [...new Demuxer().push(chunk)];
  expect(slice?.bytes.buffer).toBe(chunk.buffer);
});

test('frames without payload are skipped', () => {
  const empty = toFrame('stderr', Buffer.alloc(0));
  expect(demux([Buffer.concat([empty, empty, toFrame('stdout', Buffer.from('x')), empty])])).toEqual([
    ['stdout', 'x'],
  ]);
});

describe('the demultiplexer refuses a header', () => {
  const header = (...bytes: number[]): Buffer => Buffer.from(bytes);

  test.each([
    ['of stdin', header(0, 0, 0, 0, 0, 0, 0, 1)],
    ['of a stream that does not exist', header(3, 0, 0, 0, 0, 0, 0, 1)],
    ['with a first filler that is not zero', header(1, 1, 0, 0, 0, 0, 0, 1)],
    ['with a last filler that is not zero', header(1, 0, 0, 1, 0, 0, 0, 1)],
    ['of a frame of 4 GiB', header(1, 0, 0, 0, 255, 255, 255, 255)],
    ['of a frame of one byte more than 1 MiB', header(2, 0, 0, 0, 0, 16, 0, 1)],
    ['that is text', Buffer.from('HTTP/1.1 500')],
  ])('%s', (_title, bytes) => {
    expect(() => demux([bytes])).toThrow(RangeError);
    expect(() => demux([...bytes].map((byte) => Buffer.of(byte)))).toThrow(RangeError);
  });

  test('only when it is complete', () => {
    expect(demux([header(3, 0, 0, 0, 0, 0, 0)])).toEqual([]);
  });
});

describe('the end of an attach stream', () => {
  const frame = toFrame('stdout', Buffer.from('abc'));

  test.each([
    ['before the first frame', 0],
    ['between two frames', frame.length],
  ])('%s is fine', (_title, bytes) => {
    const demuxer = new Demuxer();
    for (const _slice of demuxer.push(frame.subarray(0, bytes)));
    expect(() => demuxer.end()).not.toThrow();
  });

  test.each([
    ['in a header', 3],
    ['after a header', 8],
    ['in a payload', 10],
  ])('%s is refused', (_title, bytes) => {
    const demuxer = new Demuxer();
    for (const _slice of demuxer.push(frame.subarray(0, bytes)));
    expect(() => demuxer.end()).toThrow(RangeError);
  });
});

test('a frame of exactly 1 MiB is read', () => {
  const [slice] = demux([toFrame('stdout', Buffer.alloc(1024 * 1024, 0x61))]);
  expect(slice?.[1]).toHaveLength(1024 * 1024);
});
