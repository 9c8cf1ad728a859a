import type { Lurkbox, StoredImage } from '../index.ts';
import { EXIT } from './exit.ts';
import { interruption } from './interruption.ts';
import { formatBytes, formatTable, print, printJson } from './output.ts';
import { type CommonOptions, loadNamed, tellFailures, withLurkbox } from './workspace.ts';

export async function imageList(options: CommonOptions): Promise<number> {
  return withLurkbox(options, async (lurkbox) => {
    const images = await (await lurkbox.images()).list();
    if (options.json) printJson({ images });
    else if (images.length === 0) print('No image of lurkbox is in this engine.');
    else print(formatTable(['image', 'role', 'plugin', 'size', 'of its own'], images.map(toRow)));
    return EXIT.ok;
  });
}

function toRow({ tag, role, plugin, version, sizeBytes, ownBytes }: StoredImage): string[] {
  const name = plugin === null ? '' : `${plugin} ${version ?? ''}`;
  return [tag, role, name, formatBytes(sizeBytes), formatBytes(ownBytes)];
}

/** Builds what the arguments name; without any, the base image and those of all plugins of the workspace. */
export async function imageBuild(named: readonly string[], options: CommonOptions): Promise<number> {
  return withLurkbox(options, async (lurkbox) => {
    const images = await lurkbox.images();
    const { plugins, complete } = await chosen(lurkbox, named);
    const signal = interruption();
    const built = [{ name: 'base', ...(await images.prepareBase({ exec: false, signal })) }];
    for (const { name, plugin, grant } of plugins) {
      built.push({ name, ...(await images.prepare(plugin, { exec: grant.exec, signal })) });
    }
    if (options.json) printJson({ images: built });
    else
      for (const image of built) print(`${image.built ? 'built  ' : 'present'}  ${image.tag}  ${image.id}`);
    return complete ? EXIT.ok : EXIT.usage;
  });
}

async function chosen(lurkbox: Lurkbox, named: readonly string[]) {
  if (named.length > 0) return { plugins: await loadNamed(lurkbox, named), complete: true };
  const discovery = await lurkbox.plugins.discoverAndLoadAll(lurkbox.workspaceRoot);
  tellFailures(discovery);
  return { plugins: discovery.loaded, complete: discovery.failed.length === 0 };
}

/** Removes the images that this workspace's plugins do not need; with `all`, every image of lurkbox. */
export async function imagePrune(options: CommonOptions & { all?: boolean }): Promise<number> {
  return withLurkbox(options, async (lurkbox) => {
    const images = await lurkbox.images();
    const all = options.all === true;
    const keep = all ? new Set<string>() : await tagsInUse(lurkbox);
    const { removed, freedBytes } = await images.prune({ keep, all });
    if (options.json) printJson({ removed, freedBytes });
    else
      print(
        removed.length === 0
          ? 'Nothing to remove.'
          : `Removed ${removed.join(', ')}: ${formatBytes(freedBytes)}.`,
      );
    return EXIT.ok;
  });
}

async function tagsInUse(lurkbox: Lurkbox): Promise<Set<string>> {
  const images = await lurkbox.images();
  const { loaded } = await lurkbox.plugins.discoverAndLoadAll(lurkbox.workspaceRoot);
  const found = await Promise.all(
    loaded.map(({ plugin, grant }) => images.find(plugin, { exec: grant.exec })),
  );
  return new Set(found.flatMap((image) => image?.tag ?? []));
}
