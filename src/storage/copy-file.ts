import { closeSync, constants, fstatSync, readSync, writeSync } from 'node:fs';
import type { Folder, Name } from './folder.ts';

const CHUNK_BYTES = 1024 * 1024;

/** A file that is not there yet in the other folder, with what one here holds, for this user alone. @throws PathError */
export function copyFile(from: Folder, name: Name, to: Folder): void {
  const source = from.file(name);
  try {
    const target = to.file(name, { flags: constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL });
    try {
      copyBytes(source, target, fstatSync(source).size);
    } finally {
      closeSync(target);
    }
  } finally {
    closeSync(source);
  }
}

/** No more than it held when it was opened: somebody may be writing to it. */
function copyBytes(source: number, target: number, size: number): void {
  const chunk = Buffer.allocUnsafe(Math.min(CHUNK_BYTES, size));
  for (let position = 0; position < size; ) {
    const got = readSync(source, chunk, 0, Math.min(chunk.length, size - position), position);
    if (got === 0) return;
    for (let written = 0; written < got; ) written += writeSync(target, chunk, written, got - written);
    position += got;
  }
}
