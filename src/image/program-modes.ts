import type { LayerEntry, StreamedContent } from './layer.ts';

const ELF = Buffer.from('\x7fELF');
const SHEBANG = Buffer.from('#!');
const LOOKED_AT_BYTES = 4;

/**
 * Entries of which those that begin as a program does, an ELF file or a script with `#!`, may be executed. By content and not by
 * the mode on somebody's disk, which neither the digest of a plugin nor every tarball tells.
 */
export async function* withProgramModes(entries: AsyncIterable<LayerEntry>): AsyncGenerator<LayerEntry> {
  for await (const entry of entries) {
    if (entry.type !== 'file') {
      yield entry;
      continue;
    }
    const { content } = entry;
    if (Buffer.isBuffer(content)) yield withMode(entry, content);
    else if ('stream' in content) {
      const { first, stream } = await peek(content);
      yield { ...withMode(entry, first), content: { ...content, stream } };
    } else yield entry;
  }
}

function withMode(entry: LayerEntry & { type: 'file' }, first: Buffer): LayerEntry & { type: 'file' } {
  const isProgram = [ELF, SHEBANG].some((start) => first.subarray(0, start.length).equals(start));
  return isProgram ? { ...entry, mode: 0o755 } : entry;
}

/** The first bytes, and a stream that has them still. */
async function peek({ stream }: StreamedContent): Promise<{ first: Buffer; stream: AsyncIterable<Buffer> }> {
  const source = stream[Symbol.asyncIterator]();
  const taken: Buffer[] = [];
  let bytes = 0;
  let isDone = false;
  while (bytes < LOOKED_AT_BYTES && !isDone) {
    const { value, done } = await source.next();
    isDone = done === true;
    if (isDone) break;
    taken.push(value);
    bytes += value.length;
  }
  return { first: Buffer.concat(taken), stream: rest() };

  async function* rest(): AsyncGenerator<Buffer> {
    yield* taken;
    if (!isDone) yield* { [Symbol.asyncIterator]: () => source };
  }
}
