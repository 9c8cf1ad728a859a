import { closeSync, constants, writeFileSync } from 'node:fs';
import type { Folder, Name } from './folder.ts';

/** A file that was not there before, for this user alone. @throws PathError `EEXIST` also where a link has the name */
export function writeNewFile(folder: Folder, name: Name, content: string | Buffer): void {
  const descriptor = folder.file(name, { flags: constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL });
  try {
    writeFileSync(descriptor, content);
  } finally {
    closeSync(descriptor);
  }
}
