import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { LurkboxError } from '../errors.ts';
import { LABELS } from '../labels.ts';
import { splitDependency } from '../manifest/fields.ts';
import type { LoadedPlugin } from '../manifest/load.ts';
import { readPluginFiles } from '../manifest/read-files.ts';
import { namedPackages } from '../manifest/vendored.ts';
import { STRIPPED_FILE } from '../protocol/messages.ts';
import { IMAGE_PATHS } from '../spec/build.ts';
import { createTempFolder } from '../storage/temp-folder.ts';
import { type BuildContext, type ImageId, type ImageName, imageLabels } from './build-context.ts';
import { ContentSurvey } from './content-survey.ts';
import { installDependencies } from './dependencies.ts';
import { loadDerivedImage } from './derived-image.ts';
import { imageNotes, toNoteLabels } from './image-notes.ts';
import { imageTag, pluginImageKey } from './keys.ts';
import { type LayerEntry, writeLayer } from './layer.ts';
import type { NativePlatform } from './native-needs.ts';
import type { Architecture } from './node-binary.ts';
import { withProgramModes } from './program-modes.ts';
import { isTypeScript, STRIPPER, stripTypes } from './strip-types.ts';

/** The name of a plugin's image on this base. */
export function namePluginImage(
  { manifest, digest }: Pick<LoadedPlugin, 'manifest' | 'digest'>,
  base: ImageName,
): ImageName {
  const key = pluginImageKey({ baseKey: base.key, digest, stripper: STRIPPER });
  return { key, tag: imageTag(`plugin-${manifest.name}`, key) };
}

/** The base and one layer: the plugin's files, its TypeScript without types, and its dependencies. Throws `DEPENDENCY_FAILED`, `IMAGE_BUILD_FAILED`. */
export async function buildPluginImage(
  plugin: LoadedPlugin,
  base: ImageId & NativePlatform,
  context: BuildContext,
): Promise<{ readonly id: string | null; readonly warnings: readonly string[] }> {
  const { cacheDir, report, signal } = context;
  const { name, version } = plugin.manifest;
  const image = namePluginImage(plugin, base);
  await using folder = await createTempFolder(cacheDir);
  const dependencies = await install(plugin, base.architecture, folder.path, context);
  report('packPlugin', name);
  const survey = new ContentSurvey(folder.path);
  const entries = pluginEntries(plugin, dependencies, context);
  // Without the permission the image holds no program but Node, as the kernel starts none.
  const packed = plugin.manifest.permissions.exec ? withProgramModes(entries) : entries;
  const layer = await writeLayer(join(folder.path, 'plugin.tar'), survey.watch(packed), signal);
  const warnings = imageNotes(survey, base, namesOf(plugin));
  const labels = {
    ...imageLabels('plugin', image, base),
    [LABELS.plugin]: name,
    [LABELS.version]: version,
    ...toNoteLabels(warnings),
  };
  const derived = { ...image, base, layer, labels, architecture: base.architecture };
  return { id: await loadDerivedImage(derived, folder.path, context), warnings };
}

/** Names in `dependencies`; empty where the plugin brings its packages along. */
function namesOf({ manifest }: LoadedPlugin): string[] {
  return namedPackages(manifest).map((written) => splitDependency(written).name);
}

async function install(
  { manifest, lock }: LoadedPlugin,
  architecture: Architecture,
  folder: string,
  { programs, packages: store, report, signal }: BuildContext,
): Promise<AsyncIterable<LayerEntry> | readonly LayerEntry[]> {
  const dependencies = namedPackages(manifest);
  if (dependencies.length === 0) return [];
  if (lock === null)
    throw new LurkboxError('INTERNAL', `The npm packages of \`${manifest.name}\` are not locked yet.`);
  report('installDependencies', `of ${manifest.name}`);
  const target = join(folder, 'dependencies');
  await mkdir(target);
  const options = { folder: target, architecture, programs, store, signal };
  return installDependencies({ dependencies, lock }, options);
}

async function* pluginEntries(
  plugin: LoadedPlugin,
  dependencies: AsyncIterable<LayerEntry> | readonly LayerEntry[],
  context: BuildContext,
): AsyncGenerator<LayerEntry> {
  const root = IMAGE_PATHS.plugin.slice(1);
  const sources = new Map<string, string>();
  for await (const { path, content } of readPluginFiles(plugin)) {
    if (isTypeScript(path) && Buffer.isBuffer(content)) sources.set(path, content.toString());
    yield { path: `${root}/${path}`, type: 'file', content };
  }
  for (const { path, target } of plugin.links) yield { path: `${root}/${path}`, type: 'link', target };
  for await (const entry of dependencies) yield { ...entry, path: `${root}/${entry.path}` };
  const stripped = await stripTypes(sources, context);
  if (stripped !== null) yield toStrippedFile(stripped);
}

/** Outside of the plugin's folder, in which everything is as its author wrote it. */
function toStrippedFile(stripped: ReadonlyMap<string, string>): LayerEntry {
  const byUrl = [...stripped].map(([path, source]) => {
    const { href } = pathToFileURL(`${IMAGE_PATHS.plugin}/${path}`, { windows: false });
    return [href, source];
  });
  const content = Buffer.from(JSON.stringify(Object.fromEntries(byUrl)));
  return { path: STRIPPED_FILE.slice(1), type: 'file', content };
}
