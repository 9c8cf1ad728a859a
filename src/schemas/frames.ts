/**
 * What the orchestrator and a process that checks schemas say to each other: frames of a kind and a length. A value comes
 * in pieces, so that nobody has to make a large one at once.
 */
export const FRAME_KINDS = { message: 1, piece: 2, endOfValue: 3 } as const;

export interface Frame {
  readonly kind: number;
  readonly bytes: Buffer;
}

const HEAD_BYTES = 5;

export function toFrame(kind: number, text: string): Buffer {
  const bytes = Buffer.byteLength(text);
  const frame = Buffer.allocUnsafe(HEAD_BYTES + bytes);
  frame.writeUInt8(kind, 0);
  frame.writeUInt32LE(bytes, 1);
  frame.write(text, HEAD_BYTES);
  return frame;
}

/** Puts together what a pipe takes apart. A longer frame than allowed throws. */
export class FrameReader {
  readonly #maxBytes: number;
  #rest: Buffer = Buffer.alloc(0);

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  *push(chunk: Buffer): Generator<Frame> {
    this.#rest = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk]);
    for (;;) {
      if (this.#rest.length < HEAD_BYTES) return;
      const bytes = this.#rest.readUInt32LE(1);
      if (bytes > this.#maxBytes) throw new Error(`a frame of ${bytes} bytes`);
      if (this.#rest.length < HEAD_BYTES + bytes) return;
      const frame = {
        kind: this.#rest.readUInt8(0),
        bytes: this.#rest.subarray(HEAD_BYTES, HEAD_BYTES + bytes),
      };
      this.#rest = this.#rest.subarray(HEAD_BYTES + bytes);
      yield frame;
    }
  }
}
