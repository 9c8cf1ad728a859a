import { resolve } from 'node:path';
import {
  type ContentDifferences,
  compareContents,
  describeDifferences,
  type LoadedPlugin,
  type Lurkbox,
  loadPluginFolder,
} from '../index.ts';
import { escapeControls, quotePath } from '../printable.ts';
import { EXIT } from './exit.ts';
import { paint, print, printJson } from './output.ts';
import { type CommonOptions, isFolder, nameOf, unknownPlugin, withLurkbox } from './workspace.ts';

/**
 * What the digest of a plugin is made of, file by file, or how two contents differ. Neither policy nor engine is asked: what is
 * denied by a pin is what somebody wants to look at.
 */
export async function files(
  first: string,
  second: string | undefined,
  options: CommonOptions,
): Promise<number> {
  return withLurkbox(options, async (lurkbox) => {
    const plugin = await readPlugin(lurkbox, first);
    if (second === undefined) {
      if (options.json) printJson(toJson(plugin));
      else show(plugin);
      return EXIT.ok;
    }
    const other = await readPlugin(lurkbox, second);
    const differences = compareContents(plugin, other);
    if (options.json) printJson({ before: toJson(plugin), after: toJson(other), differences });
    else showDifferences(plugin, other, differences);
    return plugin.digest === other.digest ? EXIT.ok : EXIT.failed;
  });
}

/** A folder as it is now, or an installed version; `name` alone means what is in its folder, or else what serves. */
async function readPlugin(lurkbox: Lurkbox, named: string): Promise<LoadedPlugin> {
  if (isFolder(named)) return loadPluginFolder(resolve(named));
  const { plugins, registry, workspaceRoot } = lurkbox;
  const { failed } = await plugins.discoverAndLoadAll(workspaceRoot);
  const name = nameOf(named);
  const refused = failed.find(({ folder }) => folder.endsWith(`/plugins/${name}`));
  if (refused !== undefined && name === named) return loadPluginFolder(refused.folder);
  if (registry.get(name) === null) throw unknownPlugin(lurkbox, name);
  return plugins.readFiles(named);
}

function toJson({ manifest: { name, version }, digest, content, files, links }: LoadedPlugin) {
  return { name, version, digest, content, files, links };
}

function show({ manifest, folder, digest, content, lock, files, links }: LoadedPlugin): void {
  print(`${paint('bold', manifest.name)} ${manifest.version}  ${digest}`);
  print(`From: ${quotePath(folder)}`);
  if (digest !== content)
    print(`The files alone: ${content}${lock === null ? '; the packages are not locked yet' : ''}`);
  // As `sha256sum` prints them, so that it can check them.
  for (const { path, sha256 } of files) print(`${sha256}  ${escapeControls(path)}`);
  for (const { path, target } of links) print(`# ${escapeControls(path)} -> ${escapeControls(target)}`);
}

function showDifferences(before: LoadedPlugin, after: LoadedPlugin, differences: ContentDifferences): void {
  for (const { manifest, digest, folder } of [before, after])
    print(`${paint('bold', manifest.name)} ${manifest.version}  ${digest}  ${quotePath(folder)}`);
  print(describeDifferences(differences));
}
