import { existsSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import pLimit from 'p-limit';
import { LurkboxError } from '../../errors.ts';
import { discoverPlugins, PLUGINS_FOLDER } from '../../manifest/discover.ts';
import { type LoadedPlugin, MANIFEST_FILE } from '../../manifest/load.ts';
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

/** Reads every plugin in `plugins/` of a workspace, and has them loaded, those that are required first. */
export async function discoverAndLoad(
  workspaceRoot: string,
  registry: PluginRegistry,
  { read, load }: Steps,
): Promise<Discovery> {
  const folders = await discoverPlugins(workspaceRoot);
  const { found, failures } = await readAll(folders, registry, read);
  const { order, problems } = orderOf([...found.values()], registry);
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
function orderOf(found: readonly Found[], registry: PluginRegistry): LoadOrder {
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
