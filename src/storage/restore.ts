import { readdirSync } from 'node:fs';
import { LurkboxError } from '../errors.ts';
import { Database, toStoreError } from './database.ts';
import { DatabaseFiles } from './database-files.ts';
import { examine } from './examine.ts';
import type { Folder } from './folder.ts';
import { withCopy, writtenAt } from './store-files.ts';
import type { StoreFormat } from './store-format.ts';

/** A database in the folder of a store that may take its place, or the store itself. */
export interface StoreCopy<Content> {
  /** Its name in the folder. */
  readonly file: string;
  /** When it was written last. */
  readonly at: Date;
  /** Why it cannot be used; `null` where it is sound. */
  readonly fault: string | null;
  readonly content: Content | null;
}

/** What a person may look at at once; the newest of each kind come first. */
const MAX_COPIES = 100;

/** The store, its backup, copies of earlier formats, and what was moved aside; newest first. Nothing is changed. */
export function listCopies<Content>(
  folder: Folder,
  format: StoreFormat,
  describe: (database: Database) => Content,
): StoreCopy<Content>[] {
  const isCopy = new RegExp(
    `^${format.name}\\.(?:v\\d+\\.db|(?:backup\\.)?db(?:\\.(?:broken|replaced)-[-0-9T.]+Z(?:-\\d+)?)?)$`,
  );
  return readdirSync(folder.here)
    .filter((name) => isCopy.test(name))
    .map((file) => ({ file, at: writtenAt(folder.statsOf(file) ?? { mtimeMs: 0 }) }))
    .sort((one, other) => other.at.getTime() - one.at.getTime())
    .slice(0, MAX_COPIES)
    .map((copy) => ({ ...copy, ...look(folder, copy.file, format, describe) }));
}

function look<Content>(
  folder: Folder,
  file: string,
  format: StoreFormat,
  describe: (database: Database) => Content,
): Pick<StoreCopy<Content>, 'fault' | 'content'> {
  try {
    return withCopy(folder, file, (path) => {
      const found = examine(path, format, { isUsed: false });
      if (found.is !== 'good')
        return { fault: found.is === 'broken' ? found.why : 'it is missing', content: null };
      using database = new Database(path, { readOnly: true });
      return { fault: null, content: database.snapshot(() => describe(database)) };
    });
  } catch (error) {
    return { fault: folder.explain((error as Error).message), content: null };
  }
}

/** Puts one of them, or an empty store (`null`), in the place of the store; answers under which names is kept what was there. */
export function restoreCopy(
  folder: Folder,
  format: StoreFormat,
  file: string | null,
  root: string,
): readonly string[] {
  const ignore = () => {};
  try {
    const files = new DatabaseFiles(folder, format, { root, now: Date.now, report: ignore, notify: ignore });
    try {
      return files.restore(file);
    } finally {
      files.close();
    }
  } catch (error) {
    const found = toStoreError(error, folder.pathOf(`${format.name}.db`), null);
    throw found instanceof LurkboxError
      ? new LurkboxError(found.code, folder.explain(found.message), { cause: error })
      : found;
  }
}
