import { type Dirent, readdirSync } from 'node:fs';
import { opendir } from 'node:fs/promises';
import type { Folder } from './folder.ts';
import { toPathError } from './path-error.ts';

export interface Entry {
  /** As bytes: a name that is not UTF-8 would silently become another one. */
  readonly name: Buffer;
  readonly kind: 'folder' | 'file' | 'link' | 'other';
}

/** What is in a folder, all at once: for folders that nobody else fills. */
export function entriesIn(folder: Folder): Entry[] {
  try {
    return readdirSync(folder.here, { withFileTypes: true, encoding: 'buffer' }).map(toEntry);
  } catch (error) {
    throw toPathError(error, folder.path);
  }
}

/** What is in a folder, a few entries at a time: whoever reads may stop at a bound of its own. */
export async function* readEntries(folder: Folder): AsyncGenerator<Entry> {
  using _ = folder.hold();
  try {
    const listing = await opendir(folder.here, { encoding: 'buffer' as BufferEncoding });
    for await (const entry of listing) yield toEntry(entry as unknown as Dirent<Buffer>);
  } catch (error) {
    throw toPathError(error, folder.path);
  }
}

function toEntry(entry: Dirent<Buffer>): Entry {
  const kind = entry.isDirectory()
    ? 'folder'
    : entry.isFile()
      ? 'file'
      : entry.isSymbolicLink()
        ? 'link'
        : 'other';
  return { name: Buffer.from(entry.name), kind };
}
