import { existsSync, statSync } from 'node:fs';
import { basename, join, resolve } from 'node:path';
import { closest } from '../closest.ts';
import {
  createLurkbox,
  type Discovery,
  type Lurkbox,
  LurkboxError,
  type PluginInstance,
  POLICY_FILE,
  STATE_FOLDER,
} from '../index.ts';
import { createLogger, type LOG_LEVELS } from '../logger.ts';
import { escapeControls, quotePath } from '../printable.ts';
import { type ColorMode, tell } from './output.ts';
import { Progress } from './progress.ts';

const MANIFEST_FILE = 'plugin.json';

/** Options that every command takes. */
export interface CommonOptions {
  readonly workspace: string;
  readonly policy?: string;
  readonly log: (typeof LOG_LEVELS)[number];
  readonly json?: boolean;
  readonly color?: ColorMode;
}

export interface OpenOptions {
  /** Whether what the command does to plugins is kept in the workspace. @default where the folder is one already */
  readonly persist?: boolean;
  /** Most commands end with their calls: there is no next one to wait for. @default 0 */
  readonly maxWarm?: number;
}

/** Opens the workspace, does the work, and closes it whatever happens. */
export async function withLurkbox<T>(
  options: CommonOptions,
  work: (lurkbox: Lurkbox, progress: Progress) => Promise<T>,
  { persist, maxWarm = 0 }: OpenOptions = {},
): Promise<T> {
  if (persist !== false) assertFolder(options.workspace);
  const progress = new Progress();
  await using lurkbox = await createLurkbox({
    workspaceRoot: options.workspace,
    persist: persist ?? isWorkspace(options.workspace),
    logger: createLogger(options.log),
    maxWarm,
    onImageProgress: ({ message }) => progress.begin(message),
    ...(options.policy === undefined ? {} : { policy: options.policy }),
  });
  for (const line of [...lurkbox.registry.repairs, ...lurkbox.registry.notices])
    tell(`lurkbox: ${escapeControls(line)}`);
  try {
    return await work(lurkbox, progress);
  } finally {
    progress.end();
  }
}

/** Before a command whose whole purpose is a change. @throws LurkboxError `REGISTRY_INVALID` where it would be lost */
export function assertKept({ registry, workspaceRoot }: Lurkbox): void {
  if (registry.isKept) return;
  const message = `Nothing can be kept in ${quotePath(workspaceRoot)}, so nothing was changed.`;
  throw new LurkboxError('REGISTRY_INVALID', message);
}

/** @throws LurkboxError `OPTIONS_INVALID` */
export function assertFolder(workspace: string): void {
  if (statSync(workspace, { throwIfNoEntry: false })?.isDirectory()) return;
  throw new LurkboxError('OPTIONS_INVALID', `There is no folder ${quotePath(workspace)} for a workspace.`);
}

/** A command in the wrong folder must not leave a `.lurkbox` there. */
function isWorkspace(folder: string): boolean {
  return ['plugins', STATE_FOLDER, POLICY_FILE].some((name) => existsSync(join(folder, name)));
}

/**
 * Folders are tried out: what is loaded from one is not kept in the workspace.
 * @throws LurkboxError `OPTIONS_INVALID` for folders beside names: what the workspace knows of those holds for them alone
 */
export async function withNamed<T>(
  options: CommonOptions,
  named: readonly string[],
  work: (lurkbox: Lurkbox, plugins: readonly NamedPlugin[], progress: Progress) => Promise<T>,
  open: Pick<OpenOptions, 'maxWarm'> = {},
): Promise<T> {
  if (named.some(isFolder) && !named.every(isFolder))
    throw new LurkboxError(
      'OPTIONS_INVALID',
      'Expected names of plugins or folders, got both: a folder is tried out apart from the workspace. Use two commands.',
    );
  return withLurkbox(
    options,
    async (lurkbox, progress) => work(lurkbox, await loadNamed(lurkbox, named), progress),
    named.some(isFolder) ? { persist: false, ...open } : open,
  );
}

/** A plugin as an argument names it: `reference` is what the library knows it by. */
export interface NamedPlugin {
  readonly reference: string;
  readonly instance: PluginInstance;
}

/** Loads what the arguments name: folders, or plugins of the workspace. Every fault of all of them is told at once. */
async function loadNamed(lurkbox: Lurkbox, named: readonly string[]): Promise<NamedPlugin[]> {
  const folders = named.filter(isFolder);
  const names = named.filter((argument) => !isFolder(argument));
  const discovery = names.length > 0 ? await lurkbox.plugins.discoverAndLoad(names.map(nameOf)) : null;
  const loads = [
    ...folders.map(async (folder) => {
      // Running a plugin locks its packages; looking at it asks no registry.
      const instance = await lurkbox.plugins.loadPlugin(resolve(folder), { lock: false });
      return { reference: instance.name, instance };
    }),
    ...names.map(async (name) => requireNamed(lurkbox, discovery as Discovery, name)),
  ];
  const settled = await Promise.allSettled(loads);
  const errors = settled.flatMap((outcome) => (outcome.status === 'rejected' ? [outcome.reason] : []));
  if (errors.length > 0) throw errors.length === 1 ? errors[0] : new AggregateError(errors);
  return settled.flatMap((outcome) => (outcome.status === 'fulfilled' ? [outcome.value] : []));
}

/** A path, or a folder that is there; a bare name is one of the workspace's plugins first. */
export function isFolder(argument: string): boolean {
  return /[/\\]|^\.{1,2}$/.test(argument);
}

function requireNamed(lurkbox: Lurkbox, { failed }: Discovery, reference: string): NamedPlugin {
  const name = nameOf(reference);
  const broken = failed.find(({ folder }) => basename(folder) === name);
  // A reference with a version means that version; one without means what is in the folder, which cannot be used.
  if (broken !== undefined && !reference.includes('@')) throw broken.error;
  if (lurkbox.registry.get(name) !== null)
    return { reference, instance: lurkbox.plugins.getOrThrow(reference) };
  if (broken !== undefined) throw broken.error;
  throw unknownPlugin(lurkbox, name);
}

/** Of `name`, `name@version` and `name@range`. */
export function nameOf(reference: string): string {
  return reference.split('@')[0] ?? reference;
}

export function unknownPlugin(lurkbox: Lurkbox, name: string): LurkboxError {
  const known = lurkbox.registry.list().map((plugin) => plugin.name);
  return new LurkboxError(
    'PLUGIN_NOT_FOUND',
    `No plugin ${quotePath(name)} is installed in the workspace ${quotePath(lurkbox.workspaceRoot)}; installed are: ${known.join(', ') || 'none'}.${hintFor(lurkbox, name, known)}`,
  );
}

function hintFor({ workspaceRoot }: Lurkbox, name: string, known: readonly string[]): string {
  if (existsSync(join(name, MANIFEST_FILE))) return ` For the folder of that name write \`./${name}\`.`;
  const folder = join(workspaceRoot, 'plugins', name);
  if (existsSync(join(folder, MANIFEST_FILE))) return ` The plugin in ${quotePath(folder)} has another name.`;
  if (existsSync(folder)) return ` ${quotePath(folder)} is no plugin: it has no ${MANIFEST_FILE}.`;
  const meant = closest(name, known);
  return meant === undefined ? '' : ` Did you mean \`${meant}\`?`;
}

/** Says on stderr which plugins of the workspace could not be loaded. */
export function tellFailures({ failed }: Discovery): void {
  for (const { folder, error } of failed) tell(`lurkbox: skipped ${quotePath(folder)}: ${error.message}`);
}
