import type { Lurkbox, PreparedImage, StoredImage } from '../index.ts';
import { EXIT } from './exit.ts';
import { interruption } from './interruption.ts';
import { formatBytes, formatTable, print, printJson, toWarning } from './output.ts';
import { type LockFacts, lockFacts } from './packages.ts';
import { type CommonOptions, tellFailures, withLurkbox, withNamed } from './workspace.ts';

export async function imageList(options: CommonOptions): Promise<number> {
  return withLurkbox(
    options,
    async (lurkbox) => {
      const images = await (await lurkbox.images()).list();
      if (options.json) printJson({ images });
      else if (images.length === 0) print('No image of lurkbox is in this engine.');
      else print(formatTable(['image', 'role', 'plugin', 'size', 'of its own'], images.map(toRow)));
      return EXIT.ok;
    },
    { persist: false },
  );
}

function toRow({ tag, role, plugin, version, sizeBytes, ownBytes }: StoredImage): string[] {
  const name = plugin === null ? '' : `${plugin} ${version ?? ''}`;
  return [tag, role, name, formatBytes(sizeBytes), formatBytes(ownBytes)];
}

/** Builds what the arguments name; without any, the base image and those of all plugins of the workspace. */
export async function imageBuild(named: readonly string[], options: CommonOptions): Promise<number> {
  if (named.length > 0)
    return withNamed(options, named, async (lurkbox, plugins) => {
      await buildAll(
        lurkbox,
        plugins.map(({ reference }) => reference),
        options,
      );
      return EXIT.ok;
    });
  return withLurkbox(options, async (lurkbox) => {
    const discovery = await lurkbox.plugins.discoverAndLoadAll(lurkbox.workspaceRoot);
    tellFailures(discovery);
    await buildAll(
      lurkbox,
      lurkbox.plugins.list().map(({ name }) => name),
      options,
    );
    return discovery.failed.length === 0 ? EXIT.ok : EXIT.usage;
  });
}

async function buildAll(lurkbox: Lurkbox, names: readonly string[], { json }: CommonOptions): Promise<void> {
  const signal = interruption();
  const images = await lurkbox.images();
  const base = await images.prepareBase({ exec: false, signal });
  const built: (PreparedImage & { name: string; lock?: LockFacts })[] = [{ name: 'base', ...base }];
  for (const name of names) {
    const image = await lurkbox.plugins.prepare(name, { signal });
    built.push({ name, ...image, lock: lockFacts(lurkbox.plugins.getOrThrow(name).plugin) });
  }
  if (json) printJson({ images: built });
  else
    for (const { built: isNew, tag, id, lock, warnings } of built) {
      const packages = lock?.packages ? `  (${lock.packages} npm packages locked)` : '';
      print(`${isNew ? 'built  ' : 'present'}  ${tag}  ${id}${packages}`);
      for (const warning of warnings) print(`  ${toWarning(warning)}`);
    }
}
