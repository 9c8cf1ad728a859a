import {
  closeSync,
  constants,
  fstatSync,
  open as openCallback,
  read as readCallback,
  readSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { basename, dirname, resolve } from 'node:path';
import { promisify } from 'node:util';
import type { FileOptions, Name } from './descriptor.ts';
import { Folder } from './folder.ts';
import { PathError, toPathError } from './path-error.ts';

const READ_BYTES = 64 * 1024;
const COPY_BYTES = 1024 * 1024;

const readLater = promisify(readCallback);
const openLater = promisify(openCallback);

/** Chunks of a file, up to one byte more than `maxBytes`, so that the reader sees when a file is larger. */
export async function* readChunks(descriptor: number, maxBytes: number): AsyncGenerator<Buffer> {
  for (let position = 0; position <= maxBytes; ) {
    const buffer = Buffer.allocUnsafe(Math.min(READ_BYTES, maxBytes + 1 - position));
    const { bytesRead } = await readLater(descriptor, buffer, 0, buffer.length, position);
    if (bytesRead === 0) return;
    position += bytesRead;
    yield buffer.subarray(0, bytesRead);
  }
}

/** The whole file, or `null` when it is larger than `maxBytes`. */
async function readWhole(descriptor: number, maxBytes: number): Promise<Buffer | null> {
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

/** A file that was not there before, for this user alone. @throws PathError `EEXIST` also where a link has the name */
export function writeNewFile(folder: Folder, name: Name, content: string | Buffer): void {
  const descriptor = newFile(folder, name);
  try {
    writeFileSync(descriptor, content);
  } finally {
    closeSync(descriptor);
  }
}

/** The same for one that is not held in memory. */
export async function streamNewFile(
  folder: Folder,
  name: Name,
  chunks: AsyncIterable<Buffer>,
): Promise<void> {
  const descriptor = newFile(folder, name);
  try {
    for await (const chunk of chunks) writeAll(descriptor, chunk);
  } finally {
    closeSync(descriptor);
  }
}

function newFile(folder: Folder, name: Name): number {
  return folder.file(name, { flags: constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL });
}

/** A file that is not there yet in the other folder, with what one here holds, for this user alone. @throws PathError */
export function copyFile(from: Folder, name: Name, to: Folder): void {
  const source = from.file(name);
  try {
    const target = to.file(name, { flags: constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL });
    try {
      copyBytes(source, target, { end: fstatSync(source).size });
    } finally {
      closeSync(target);
    }
  } finally {
    closeSync(source);
  }
}

/** Up to `end`, where the file ended when somebody looked: others may be writing to it. */
export function copyBytes(
  source: number,
  target: number,
  { from = 0, end }: { from?: number; end: number },
): void {
  const chunk = Buffer.allocUnsafe(Math.min(COPY_BYTES, end - from));
  for (let position = from; position < end; ) {
    const got = readSync(source, chunk, 0, Math.min(chunk.length, end - position), position);
    if (got === 0) return;
    writeAll(target, chunk.subarray(0, got));
    position += got;
  }
}

/** The system may take only part of what it is given. @throws the system's error; part of it is written then */
export function writeAll(descriptor: number, bytes: Buffer): void {
  for (let written = 0; written < bytes.length; ) written += writeSync(descriptor, bytes, written);
}
