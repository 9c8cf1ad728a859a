import { join, resolve } from 'node:path';
import {
  LurkboxError,
  listRegistryBackups,
  type RegistryBackup,
  restoreRegistry,
  STATE_FOLDER,
} from '../index.ts';
import { escapeControls, quoteValue } from '../printable.ts';
import { askFor, isTerminal } from './ask.ts';
import { EXIT } from './exit.ts';
import { formatTable, print, printJson } from './output.ts';
import { assertFolder, type CommonOptions } from './workspace.ts';

export interface RestoreCliOptions extends CommonOptions {
  readonly empty?: boolean;
  readonly yes?: boolean;
}

/**
 * Lists what can take the place of the registry; with the name of one of them, or `--empty`, has it do so where `--yes` or
 * somebody at a terminal agrees. Needs no engine, and no registry that can be opened.
 */
export async function registryRestore(
  backup: string | undefined,
  options: RestoreCliOptions,
): Promise<number> {
  assertFolder(options.workspace);
  const workspaceRoot = resolve(options.workspace);
  const stateFolder = join(workspaceRoot, STATE_FOLDER);
  if (backup !== undefined && options.empty === true)
    throw new LurkboxError('OPTIONS_INVALID', 'Expected the name of a backup or --empty, got both.');
  const backups = listRegistryBackups(stateFolder);
  if (backup === undefined && options.empty !== true) return list(backups, options);
  const chosen = backup ?? null;
  if (options.yes !== true && !(await isAgreed(chosen, backups, options))) {
    if (options.json) printJson({ restored: false, backup: chosen, kept: [] });
    else print('Nothing is restored. `--yes` agrees to it.');
    return EXIT.failed;
  }
  const kept = restoreRegistry({ stateFolder, workspaceRoot, backup: chosen });
  if (options.json) printJson({ restored: true, backup: chosen, kept });
  else {
    print(chosen === null ? 'The registry is empty now.' : `${quoteValue(chosen)} is the registry now.`);
    for (const file of kept) print(`What was there is kept as ${quoteValue(file)}.`);
    print(
      chosen === null
        ? 'Nobody has agreed to anything. `lurkbox list` installs again what is in plugins/.'
        : 'Look at what was agreed to with `lurkbox list`: a consent that was withdrawn since that backup is there again.',
    );
  }
  return EXIT.ok;
}

function list(backups: readonly RegistryBackup[], { json }: RestoreCliOptions): number {
  if (json) printJson({ backups });
  else if (backups.length === 0) print('There is no registry yet, and so nothing to restore.');
  else {
    print(formatTable(['file', 'saved', 'plugins', 'versions', 'holds'], backups.map(toRow)));
    print(
      '`lurkbox registry restore <file>` has one take the place of the registry, and keeps what was there; `--empty` begins anew.',
    );
  }
  return EXIT.ok;
}

function toRow({ file, isStore, savedAt, fault, content }: RegistryBackup): string[] {
  const name = isStore ? `${file} (the registry)` : file;
  if (content === null) return [name, savedAt, '', '', `damaged: ${escapeControls(fault ?? '')}`];
  const { plugins, versions, names } = content;
  // Whoever made the file chose the names, and those of plugins have no colours.
  const shown = names.map(escapeControls).join(', ');
  const more = plugins > names.length ? `${shown} and ${plugins - names.length} more` : shown;
  return [name, savedAt, `${plugins}`, `${versions}`, more];
}

async function isAgreed(
  chosen: string | null,
  backups: readonly RegistryBackup[],
  { json }: RestoreCliOptions,
): Promise<boolean> {
  if (json === true || !isTerminal()) return false;
  const shown = backups.filter(({ file, isStore }) => isStore || file === chosen);
  print(formatTable(['file', 'saved', 'plugins', 'versions', 'holds'], shown.map(toRow)));
  return await askFor(
    chosen === null
      ? 'Begin with an empty registry, in which nobody has agreed to anything?'
      : `Have ${quoteValue(chosen)} take the place of the registry?`,
  );
}
