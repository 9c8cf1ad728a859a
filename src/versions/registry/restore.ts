import { LurkboxError } from '../../errors.ts';
import { quotePath } from '../../printable.ts';
import type { Database } from '../../storage/database.ts';
import type { Folder } from '../../storage/folder.ts';
import { withoutLinks } from '../../storage/path-steps.ts';
import { listCopies, restoreCopy } from '../../storage/restore.ts';
import { findStateFolder } from '../../storage/state-folder.ts';
import { REGISTRY_FORMAT } from './tables.ts';

/** A database that holds what was known of plugins: the store itself, its backup, or one that was kept beside them. */
export interface RegistryBackup {
  /** Its name in the state folder. */
  readonly file: string;
  /** Whether it is the store that is used now. */
  readonly isStore: boolean;
  /** When it was written last, ISO 8601, UTC. */
  readonly savedAt: string;
  /** Why it cannot be restored; `null` where it is sound. */
  readonly fault: string | null;
  /** `null` where it is not sound. */
  readonly content: RegistryContent | null;
}

export interface RegistryContent {
  readonly plugins: number;
  readonly versions: number;
  /** Of the first ten plugins, by name. */
  readonly names: readonly string[];
}

export interface RestoreOptions {
  /** Of the workspace, absolute: its `.lurkbox`. */
  readonly stateFolder: string;
  readonly workspaceRoot: string;
  /** Name of a sound one of `listRegistryBackups`; `null`: an empty registry. */
  readonly backup: string | null;
}

/**
 * What can take the place of the registry of a workspace, newest first. Nothing is changed.
 * @throws LurkboxError `REGISTRY_INVALID` where the state folder is another user's, or is not what lurkbox makes
 */
export function listRegistryBackups(stateFolder: string): readonly RegistryBackup[] {
  using folder = findStateFolder(stateFolder);
  return folder === null ? [] : list(folder);
}

/**
 * Has a backup, or an empty registry, take the place of the registry of a workspace. What was there is kept: answers under
 * which names in the state folder. Processes that use the registry read the new one at their next call.
 * @throws LurkboxError `OPTIONS_INVALID` for a name that is not listed, `REGISTRY_INVALID` where it cannot be restored
 */
export function restoreRegistry({ stateFolder, workspaceRoot, backup }: RestoreOptions): readonly string[] {
  using folder = findStateFolder(stateFolder);
  if (folder === null)
    throw new LurkboxError(
      'OPTIONS_INVALID',
      `There is no ${quotePath(stateFolder)}, and so no registry to restore.`,
    );
  const known = list(folder).filter(({ isStore }) => !isStore);
  if (backup !== null && !known.some(({ file }) => file === backup)) {
    const names = known.map(({ file }) => quotePath(file)).join(', ') || 'none';
    throw new LurkboxError(
      'OPTIONS_INVALID',
      `Expected the name of a backup (${names}), got ${quotePath(backup)}.`,
    );
  }
  return restoreCopy(folder, REGISTRY_FORMAT, backup, withoutLinks(workspaceRoot));
}

function list(folder: Folder): RegistryBackup[] {
  return listCopies(folder, REGISTRY_FORMAT, toContent).map(({ file, at, fault, content }) => ({
    file,
    isStore: file === `${REGISTRY_FORMAT.name}.db`,
    savedAt: at.toISOString(),
    fault,
    content,
  }));
}

/** Of a registry of any format. */
function toContent(database: Database): RegistryContent {
  const count = (table: string) =>
    database.get<{ count: number }>(`SELECT count(*) AS count FROM ${table}`)!.count;
  const names = database.all<{ name: string }>(
    'SELECT substr(name, 1, 100) AS name FROM plugins ORDER BY plugins.name LIMIT 10',
  );
  return { plugins: count('plugins'), versions: count('versions'), names: names.map(({ name }) => name) };
}
