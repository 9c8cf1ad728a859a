import type { OutputSlice } from '../engine.ts';

/**
 * Docker's multiplexed attach stream: a header of 8 bytes, `{ stream, 0, 0, 0, length as big-endian uint32 }`, before
 * each payload.
 * @see https://docs.docker.com/engine/api/v1.41/#tag/Container/operation/ContainerAttach
 */
const HEADER_BYTES = 8;
/** The engine copies 32 KiB at a time; a length far above is no engine talking. */
const MAX_FRAME_BYTES = 1024 * 1024;

/**
 * Takes chunks as they arrive and yields the slices of payload in them, without ever holding a whole frame: at most one
 * header is kept between two chunks. Back-pressure is the caller's: a chunk that is not pushed is not read.
 * @throws RangeError when a header is none that an engine writes
 */
export class Demuxer {
  readonly #header = Buffer.alloc(HEADER_BYTES);
  #headerBytes = 0;
  #payloadLeft = 0;

  *push(chunk: Buffer): Generator<OutputSlice> {
    let at = 0;
    while (at < chunk.length) {
      if (this.#payloadLeft === 0) {
        at += this.#readHeader(chunk.subarray(at));
        continue;
      }
      const bytes = chunk.subarray(at, at + this.#payloadLeft);
      at += bytes.length;
      this.#payloadLeft -= bytes.length;
      yield { stream: this.#header[0] === 2 ? 'stderr' : 'stdout', bytes };
    }
  }

  /** @throws RangeError when the stream ends inside a frame, which no engine ends by itself */
  end(): void {
    if (this.#headerBytes === 0 && this.#payloadLeft === 0) return;
    throw new RangeError('an attach stream ended inside a frame');
  }

  /** Answers how many bytes of the chunk it took. */
  #readHeader(chunk: Buffer): number {
    const taken = chunk.copy(this.#header, this.#headerBytes, 0, HEADER_BYTES - this.#headerBytes);
    this.#headerBytes += taken;
    if (this.#headerBytes < HEADER_BYTES) return taken;
    this.#headerBytes = 0;
    this.#payloadLeft = this.#header.readUInt32BE(4);
    const stream = this.#header[0] ?? 0;
    if (
      (stream !== 1 && stream !== 2) ||
      this.#header.readUIntBE(1, 3) !== 0 ||
      this.#payloadLeft > MAX_FRAME_BYTES
    ) {
      throw new RangeError(`not a frame of an attach stream: ${this.#header.toString('hex')}`);
    }
    return taken;
  }
}
