import { existsSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import pLimit from 'p-limit';
import { LurkboxError } from '../../errors.ts';
import { discoverPlugins, PLUGINS_FOLDER } from '../../manifest/discover.ts';
import { splitDependency } from '../../manifest/fields.ts';
import { type LoadedPlugin, MANIFEST_FILE } from '../../manifest/load.ts';
import type { PluginRecord } from '../registry/record.ts';
import type { PluginRegistry } from '../registry/registry.ts';
import type { PluginInstance } from '../version-grants.ts';
import { nameIsTaken } from './ownership.ts';
import { type LoadOrder, orderByRequirements, requirementUnmet, toRequirable } from './requirements.ts';

/** What `discoverAndLoadAll` found. A plugin that cannot be loaded does not keep the others from it. */
export interface Discovery {
  readonly loaded: readonly PluginInstance[];
  readonly failed: readonly { readonly folder: string; readonly error: LurkboxError }[];
}

/** Plugins are read at once: each reads and hashes files of its own, with some forty of them open. */
const LOADS_AT_ONCE = Math.min(16, availableParallelism() * 2);

interface Found {
  readonly plugin: LoadedPlugin;
  readonly folder: string;
}

interface Steps {
  readonly read: (folder: string) => Promise<LoadedPlugin>;
  readonly load: (plugin: LoadedPlugin) => Promise<PluginInstance>;
}

/**
 * Reads the plugins in `plugins/` of a workspace, and has them loaded, those that are required first. With `names` only what these
 * need is read, where the registry knows which folders that is; else all.
 */
export async function discoverAndLoad(
  workspaceRoot: string,
  registry: PluginRegistry,
  { read, load }: Steps,
  names?: readonly string[],
): Promise<Discovery> {
  const all = await discoverPlugins(workspaceRoot);
  const some = names === undefined ? null : foldersOf(names, all, { registry, workspaceRoot });
  const reading = await readAll(some ?? all, registry, read);
  const isEnough = some === null || saysWhatIsKnown(reading.found, registry);
  const folders = isEnough ? (some ?? all) : all;
  const { found, failures } = isEnough ? reading : await readAll(all, registry, read);
  const { order, problems } = loadOrderOf([...found.values()], registry);
  const loaded: PluginInstance[] = [];
  for (const [name, problem] of problems) {
    const entry = found.get(name);
    if (entry !== undefined) failures.set(entry.folder, requirementUnmet(entry.plugin, problem));
  }
  for (const name of order) {
    const entry = found.get(name);
    if (entry === undefined) continue;
    const outcome = await settle(() => load(entry.plugin));
    if ('error' in outcome) failures.set(entry.folder, outcome.error);
    else loaded.push(outcome.value);
  }
  const failed = folders.flatMap((folder) => {
    const error = failures.get(folder);
    return error === undefined ? [] : [{ folder, error }];
  });
  return { loaded: loaded.sort(byName), failed };
}

/**
 * Of the plugins with these names and of those that they require; `null` where one of them was never loaded, or a folder is gone:
 * whether it has another name now only the other folders can tell.
 */
function foldersOf(
  names: readonly string[],
  folders: readonly string[],
  { registry, workspaceRoot }: { registry: PluginRegistry; workspaceRoot: string },
): string[] | null {
  const gone = new Set(foldersGone(workspaceRoot, registry));
  const isMissed = ({ active }: PluginRecord): boolean => active !== null && gone.has(active.origin.path);
  // Those that are out of service already are not missed by anybody else.
  if (registry.list().some((record) => isMissed(record) && !isOutOfService(record))) return null;
  const needed = new Set(names);
  // It grows while it is gone through.
  for (const name of needed) {
    const record = registry.get(name);
    // What is not active may be for the reason that it has to be read again.
    if (record?.active == null || isMissed(record)) return null;
    for (const written of record.active.manifest.requires) needed.add(nameOfRequired(written));
  }
  const owners = new Set([...needed].flatMap((name) => registry.get(name)?.origin.path ?? []));
  return folders.filter((folder) => owners.has(folder));
}

function isOutOfService({ active }: PluginRecord): boolean {
  return active?.state === 'DISABLED' || active?.state === 'ERROR';
}

/** Whether what was read goes under the name and requires the plugins for which it was chosen. */
function saysWhatIsKnown(found: ReadonlyMap<string, Found>, registry: PluginRegistry): boolean {
  return [...found].every(([name, { plugin }]) => {
    const active = registry.get(name)?.active;
    const known = new Set(active?.manifest.requires.map(nameOfRequired));
    return active != null && plugin.manifest.requires.every((written) => known.has(nameOfRequired(written)));
  });
}

/** Folders of `plugins/` that active versions were installed from and that are no plugins any more. */
export function foldersGone(workspaceRoot: string, registry: PluginRegistry): string[] {
  const parent = resolve(workspaceRoot, PLUGINS_FOLDER);
  const sources = registry.list().flatMap(({ active }) => active?.origin.path ?? []);
  return [...new Set(sources)].filter(
    (source) => dirname(source) === parent && !existsSync(join(source, MANIFEST_FILE)),
  );
}

/** By name, and what is wrong by folder. A name that two folders say is that of the one to which it belongs, or of neither. */
async function readAll(
  folders: readonly string[],
  registry: PluginRegistry,
  readOne: Steps['read'],
): Promise<{ found: Map<string, Found>; failures: Map<string, LurkboxError> }> {
  const limit = pLimit(LOADS_AT_ONCE);
  const read = await Promise.all(folders.map((folder) => limit(() => settle(() => readOne(folder)))));
  const failures = new Map<string, LurkboxError>();
  const sayings: Found[] = [];
  for (const [index, outcome] of read.entries()) {
    const folder = folders[index] as string;
    if ('error' in outcome) failures.set(folder, outcome.error);
    else sayings.push({ plugin: outcome.value, folder });
  }
  const found = new Map<string, Found>();
  for (const [name, all] of Map.groupBy(sayings, ({ plugin }) => plugin.manifest.name)) {
    const owner = registry.get(name)?.origin.path;
    const own = all.length === 1 ? all[0] : all.find(({ plugin }) => plugin.folder === owner);
    if (own !== undefined) found.set(name, own);
    for (const one of all) {
      const other = own ?? all.find((another) => another !== one);
      if (one !== own && other !== undefined)
        failures.set(one.folder, nameIsTaken(one.folder, name, other.folder));
    }
  }
  return { found, failures };
}

/** Of these and of all that is installed. */
function loadOrderOf(found: readonly Found[], registry: PluginRegistry): LoadOrder {
  const read = found.map(({ plugin: { manifest } }) => ({
    name: manifest.name,
    versions: [
      manifest.version,
      ...(registry.get(manifest.name)?.versions ?? []).map(({ version }) => version),
    ],
    requires: manifest.requires,
  }));
  const names = new Set(read.map(({ name }) => name));
  const others = registry.list().filter(({ name }) => !names.has(name));
  return orderByRequirements([...read, ...others.map(toRequirable)]);
}

function nameOfRequired(written: string): string {
  return splitDependency(written).name;
}

function byName(a: PluginInstance, b: PluginInstance): number {
  return a.name < b.name ? -1 : 1;
}

type Settled<T> = { readonly value: T } | { readonly error: LurkboxError };

async function settle<T>(work: () => T | Promise<T>): Promise<Settled<T>> {
  try {
    return { value: await work() };
  } catch (error) {
    if (error instanceof LurkboxError) return { error };
    throw error;
  }
}
