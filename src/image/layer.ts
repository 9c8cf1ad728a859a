import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { createReadStream, createWriteStream } from 'node:fs';
import { pipeline } from 'node:stream/promises';
import { pack as createPack, type Header, type Pack } from 'tar-stream';

/** A file, folder or link of a layer; the path has no leading slash. Everything in a layer belongs to root. */
export type LayerEntry =
  | { readonly path: string; readonly type: 'folder'; readonly mode?: number }
  | { readonly path: string; readonly type: 'link'; readonly target: string }
  | {
      readonly path: string;
      readonly type: 'file';
      readonly mode?: number;
      readonly content: FileContent | StreamedContent;
    };

/** Bytes in memory, or a file on disk that is streamed. */
export type FileContent = Buffer | { readonly file: string; readonly sizeBytes: number };

/** Bytes that come once, when it is their turn, and are held nowhere. */
export interface StreamedContent {
  readonly stream: AsyncIterable<Buffer>;
  readonly sizeBytes: number;
}

/** A layer as an uncompressed tar on disk. */
export interface Layer {
  readonly file: string;
  readonly sizeBytes: number;
  /** `sha256:…` of the tar. */
  readonly diffId: string;
}

/** The one time that everything in an image has, so that equal content gives equal bytes. */
export const IMAGE_TIME = new Date('2000-01-01T00:00:00Z');

/**
 * Writes entries, in the order they come, as a layer tar. Folders above an entry are added when they are not there
 * yet. The same entries always give the same bytes.
 */
export async function writeLayer(
  file: string,
  entries: Iterable<LayerEntry> | AsyncIterable<LayerEntry>,
  signal?: AbortSignal,
): Promise<Layer> {
  const pack = createPack();
  const hash = createHash('sha256');
  let sizeBytes = 0;
  const measured = async function* (source: AsyncIterable<Buffer>) {
    for await (const chunk of source) {
      hash.update(chunk);
      sizeBytes += chunk.length;
      yield chunk;
    }
  };
  await Promise.all([
    pipeline(pack as AsyncIterable<Buffer>, measured, createWriteStream(file), { signal }),
    fill(pack, entries, signal),
  ]);
  return { file, sizeBytes, diffId: `sha256:${hash.digest('hex')}` };
}

async function fill(
  pack: Pack,
  entries: Iterable<LayerEntry> | AsyncIterable<LayerEntry>,
  signal: AbortSignal | undefined,
): Promise<void> {
  const folders = new Set<string>();
  try {
    for await (const entry of entries) {
      signal?.throwIfAborted();
      for (const path of foldersAbove(entry.path)) {
        if (!folders.has(path)) await addEntry(pack, { path, type: 'folder' });
        folders.add(path);
      }
      if (entry.type === 'folder') folders.add(entry.path);
      await addEntry(pack, entry);
    }
    pack.finalize();
  } catch (error) {
    pack.destroy(error instanceof Error ? error : new Error(String(error)));
    throw error;
  }
}

function foldersAbove(path: string): string[] {
  const parts = path.split('/').slice(0, -1);
  return parts.map((_, index) => parts.slice(0, index + 1).join('/'));
}

async function addEntry(pack: Pack, entry: LayerEntry): Promise<void> {
  const owner = { uid: 0, gid: 0, uname: '', gname: '', mtime: IMAGE_TIME };
  switch (entry.type) {
    case 'folder':
      return addToTar(pack, {
        ...owner,
        name: `${entry.path}/`,
        type: 'directory',
        mode: entry.mode ?? 0o755,
      });
    case 'link':
      return addToTar(pack, {
        ...owner,
        name: entry.path,
        type: 'symlink',
        linkname: entry.target,
        mode: 0o777,
      });
    case 'file':
      return addToTar(
        pack,
        { ...owner, name: entry.path, type: 'file', mode: entry.mode ?? 0o644 },
        entry.content,
      );
  }
}

type TarHeader = Partial<Header> & Pick<Header, 'name'>;

/** Adds one entry and resolves when the tar took it. A file that is not as long as it was said to be is an error. */
export async function addToTar(
  pack: Pack,
  header: TarHeader,
  content: FileContent | StreamedContent = Buffer.alloc(0),
): Promise<void> {
  const size = Buffer.isBuffer(content) ? content.length : content.sizeBytes;
  const { promise: taken, resolve, reject } = Promise.withResolvers<void>();
  const sink = pack.entry({ ...header, size }, (error) => (error ? reject(error) : resolve()));
  sink.on('error', reject);
  taken.catch(() => {});
  const chunks = Buffer.isBuffer(content)
    ? [content]
    : 'stream' in content
      ? content.stream
      : createReadStream(content.file);
  for await (const chunk of chunks) {
    if (!sink.write(chunk)) await Promise.race([once(sink, 'drain'), taken]);
  }
  sink.end(undefined);
  await taken;
}
