import { closeSync, constants, fstatSync, open as openCallback, read as readCallback } from 'node:fs';
import { basename, dirname, resolve } from 'node:path';
import { promisify } from 'node:util';
import { type FileOptions, Folder } from './folder.ts';
import { PathError, toPathError } from './path-error.ts';

const CHUNK_BYTES = 64 * 1024;

const readLater = promisify(readCallback);
const openLater = promisify(openCallback);

/** Chunks of a file, up to one byte more than `maxBytes`, so that the reader sees when a file is larger. */
export async function* readChunks(descriptor: number, maxBytes: number): AsyncGenerator<Buffer> {
  for (let position = 0; position <= maxBytes; ) {
    const buffer = Buffer.allocUnsafe(Math.min(CHUNK_BYTES, maxBytes + 1 - position));
    const { bytesRead } = await readLater(descriptor, buffer, 0, buffer.length, position);
    if (bytesRead === 0) return;
    position += bytesRead;
    yield buffer.subarray(0, bytesRead);
  }
}

/** The whole file, or `null` when it is larger than `maxBytes`. */
export async function readWhole(descriptor: number, maxBytes: number): Promise<Buffer | null> {
  const content = Buffer.concat(await Array.fromAsync(readChunks(descriptor, maxBytes)));
  return content.length > maxBytes ? null : content;
}

/** A file in a folder; `null` when it is larger than `maxBytes`. @throws PathError */
export async function readFileIn(
  folder: Folder,
  name: string,
  maxBytes: number,
  conditions: Pick<FileOptions, 'singleName'> = {},
): Promise<Buffer | null> {
  const descriptor = await folder.openFile(name, conditions);
  try {
    return await readWhole(descriptor, maxBytes);
  } finally {
    closeSync(descriptor);
  }
}

/** A file by a path that was resolved before: a link at any level, and a second name, is refused. @throws PathError */
export async function readResolvedFile(path: string, maxBytes: number): Promise<Buffer | null> {
  using folder = Folder.openResolved(dirname(path));
  return await readFileIn(folder, basename(path), maxBytes, { singleName: true });
}

/**
 * A file by the path that a person wrote, of which links are followed, this once; `null` when it is larger than `maxBytes`.
 * @throws PathError
 */
export async function readWrittenFile(path: string, maxBytes: number): Promise<Buffer | null> {
  const written = resolve(path);
  try {
    const descriptor = await openLater(written, constants.O_RDONLY | constants.O_NONBLOCK);
    try {
      if (!fstatSync(descriptor).isFile()) throw new PathError('NOT_A_FILE', written);
      return await readWhole(descriptor, maxBytes);
    } finally {
      closeSync(descriptor);
    }
  } catch (error) {
    throw toPathError(error, written);
  }
}
