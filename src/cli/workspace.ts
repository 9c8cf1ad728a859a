import { existsSync } from 'node:fs';
import { basename, join, resolve } from 'node:path';
import { createLurkbox, type Discovery, type Lurkbox, LurkboxError, type PluginInstance } from '../index.ts';
import { createLogger, type LOG_LEVELS } from '../logger.ts';
import { showPath } from '../printable.ts';
import { tell } from './output.ts';
import { Progress } from './progress.ts';

/** Options that every command takes. */
export interface CommonOptions {
  readonly workspace: string;
  readonly policy?: string;
  readonly log: (typeof LOG_LEVELS)[number];
  readonly json?: boolean;
}

/** Opens the workspace, does the work, and closes it whatever happens. */
export async function withLurkbox<T>(
  options: CommonOptions,
  work: (lurkbox: Lurkbox, progress: Progress) => Promise<T>,
  // Most commands end with their calls: there is no next one to wait for.
  { maxWarm = 0 }: { maxWarm?: number } = {},
): Promise<T> {
  const progress = new Progress();
  await using lurkbox = await createLurkbox({
    workspaceRoot: options.workspace,
    logger: createLogger(options.log),
    maxWarm,
    onImageProgress: ({ message }) => progress.begin(message),
    ...(options.policy === undefined ? {} : { policy: options.policy }),
  });
  try {
    return await work(lurkbox, progress);
  } finally {
    progress.end();
  }
}

/** Loads what the arguments name: folders, or plugins of the workspace. Every fault of all of them is told at once. */
export async function loadNamed(lurkbox: Lurkbox, named: readonly string[]): Promise<PluginInstance[]> {
  const folders = named.filter(isFolder);
  const names = named.filter((argument) => !isFolder(argument));
  const discovery = names.length > 0 ? await discover(lurkbox) : null;
  const loads = [
    ...folders.map((folder) => lurkbox.plugins.loadPlugin(resolve(folder))),
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

async function discover(lurkbox: Lurkbox): Promise<Discovery> {
  return lurkbox.plugins.discoverAndLoadAll(lurkbox.workspaceRoot);
}

function requireNamed(lurkbox: Lurkbox, { failed }: Discovery, name: string): PluginInstance {
  const instance = lurkbox.plugins.get(name);
  if (instance !== null) return instance;
  const broken = failed.find(({ folder }) => basename(folder) === name);
  if (broken !== undefined) throw broken.error;
  const known = lurkbox.plugins.list().map((plugin) => plugin.name);
  const hint = existsSync(join(name, 'plugin.json'))
    ? ` For the folder of that name write \`./${name}\`.`
    : '';
  throw new LurkboxError(
    'PLUGIN_NOT_FOUND',
    `No plugin ${showPath(name)} in ${showPath(join(lurkbox.workspaceRoot, 'plugins'))}, which has: ${known.join(', ') || 'none'}.${hint}`,
  );
}

/** Says on stderr which plugins of the workspace could not be loaded. */
export function tellFailures({ failed }: Discovery): void {
  for (const { folder, error } of failed) tell(`lurkbox: skipped ${showPath(folder)}: ${error.message}`);
}
