import { RECORD_END, RECORD_START } from '../../protocol/framing.ts';

/** As the runner begins the record that ends what an execution printed to stderr. */
const OUTPUT_END_START = Buffer.from('\u001e{"jsonrpc":"2.0","method":"outputEnd",');

export interface Stretch {
  /** Nothing in it has to be read line by line. */
  readonly isFlood: boolean;
  readonly bytes: Buffer;
}

/**
 * What came over stderr when the log is full already: only lines that may be the end of the output are read, and whoever prints
 * the byte that such a line begins with makes nothing slower by it. `isBegun`: whether such a line was begun and has not ended.
 */
export function* splitFlood(chunk: Buffer, isBegun: () => boolean): Generator<Stretch> {
  for (let at = 0; at < chunk.length; ) {
    const start = isBegun() ? at : findStart(chunk, at);
    if (start > at) yield { isFlood: true, bytes: chunk.subarray(at, start) };
    if (start === chunk.length) return;
    const lineFeed = chunk.indexOf(RECORD_END, start);
    at = lineFeed === -1 ? chunk.length : lineFeed + 1;
    yield { isFlood: false, bytes: chunk.subarray(start, at) };
  }
}

/** Of a whole beginning, or of one that the end of the chunk cuts; the length of the chunk where there is none. */
function findStart(chunk: Buffer, from: number): number {
  const whole = chunk.indexOf(OUTPUT_END_START, from);
  if (whole !== -1) return whole;
  const last = chunk.lastIndexOf(RECORD_START);
  const isCut =
    last >= from && OUTPUT_END_START.subarray(0, chunk.length - last).equals(chunk.subarray(last));
  return isCut ? last : chunk.length;
}
