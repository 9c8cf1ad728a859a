import { closeSync, constants, writeFileSync, writeSync } from 'node:fs';
import type { Folder, Name } from './folder.ts';

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
    for await (const chunk of chunks)
      for (let at = 0; at < chunk.length; ) at += writeSync(descriptor, chunk, at);
  } finally {
    closeSync(descriptor);
  }
}

function newFile(folder: Folder, name: Name): number {
  return folder.file(name, { flags: constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL });
}
