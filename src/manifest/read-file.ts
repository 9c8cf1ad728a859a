import { constants } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';

// A link must not lead out of the folder, and opening a pipe must not wait for a writer.
const OPEN_FLAGS = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;

/** Opens a regular file and nothing else: a link, folder, pipe or device throws. The caller closes it. */
export async function openRegularFile(path: string): Promise<FileHandle> {
  const handle = await open(path, OPEN_FLAGS);
  try {
    if ((await handle.stat()).isFile()) return handle;
  } catch (error) {
    await handle.close();
    throw error;
  }
  await handle.close();
  throw new Error('not a regular file');
}

/** Chunks of a file, up to one byte more than `maxBytes`, so that the reader sees when a file is larger. */
export async function* readChunks(handle: FileHandle, maxBytes: number): AsyncGenerator<Buffer> {
  for await (const chunk of handle.createReadStream({ autoClose: false, start: 0, end: maxBytes })) {
    yield chunk;
  }
}

/** The whole file, or `null` when it is larger than `maxBytes`. Throws what `openRegularFile` throws. */
export async function readRegularFile(path: string, maxBytes: number): Promise<Buffer | null> {
  const handle = await openRegularFile(path);
  try {
    const chunks: Buffer[] = [];
    for await (const chunk of readChunks(handle, maxBytes)) chunks.push(chunk);
    const content = Buffer.concat(chunks);
    return content.length > maxBytes ? null : content;
  } finally {
    await handle.close();
  }
}
