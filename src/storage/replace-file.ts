import { randomUUID } from 'node:crypto';
import {
  closeSync,
  constants,
  fchmodSync,
  fchownSync,
  fstatSync,
  fsyncSync,
  readFileSync,
  writeFileSync,
} from 'node:fs';
import type { Folder } from './folder.ts';
import { PathError, toPathError } from './path-error.ts';

/**
 * Puts other content into a file in one step; its mode and its owner stay.
 * @throws PathError `CHANGED` where it does not hold `expected` any more, or the code of the system
 */
export function replaceFile(folder: Folder, name: string, expected: Buffer, content: Buffer): void {
  const temporary = `.${name}.${randomUUID()}`;
  try {
    const { mode, uid, gid } = statsOfExpected(folder, name, expected);
    const descriptor = folder.file(temporary, {
      flags: constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL,
    });
    try {
      writeFileSync(descriptor, content);
      const made = fstatSync(descriptor);
      if (made.uid !== uid || made.gid !== gid) fchownSync(descriptor, uid, gid);
      fchmodSync(descriptor, mode & 0o7777);
      fsyncSync(descriptor);
    } finally {
      closeSync(descriptor);
    }
    folder.rename(temporary, folder, name);
  } catch (error) {
    folder.remove(temporary);
    throw toPathError(error, folder.pathOf(name));
  }
}

function statsOfExpected(folder: Folder, name: string, expected: Buffer) {
  const descriptor = folder.file(name, { singleName: true });
  try {
    const stats = fstatSync(descriptor);
    if (stats.size !== expected.length || !readFileSync(descriptor).equals(expected))
      throw new PathError('CHANGED', folder.pathOf(name));
    return stats;
  } finally {
    closeSync(descriptor);
  }
}
