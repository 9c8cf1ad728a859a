import { createHash } from 'node:crypto';
import { createWriteStream } from 'node:fs';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { pipeline } from 'node:stream/promises';
import { pack as createPack, extract, type Pack } from 'tar-stream';
import * as z from 'zod';
import type { ImageDefaults } from '../engine/engine.ts';
import { BASELINE, SHARED_UID } from '../policy/baseline.ts';
import { IMAGE_PATHS } from '../spec/build.ts';
import { addToTar, type FileContent, IMAGE_TIME } from './layer.ts';

/** A layer of an image; without a file it is left out of the archive, for an engine that has it already. */
export interface ArchiveLayer {
  readonly diffId: string;
  readonly content: FileContent | null;
}

/** An image in parts; everything of it but its tag decides its id. */
export interface ImageParts {
  readonly tag: string;
  readonly architecture: string;
  readonly labels: Readonly<Record<string, string>>;
  /** Lowest first. */
  readonly layers: readonly ArchiveLayer[];
}

/** A docker-archive tar, as `docker load` takes it. */
export function toArchive(parts: ImageParts): Readable {
  const pack = createPack();
  fill(pack, parts).catch((error) => pack.destroy(error));
  return Readable.from(pack as AsyncIterable<Buffer>, { objectMode: false });
}

/** The id that an engine gives the image whose store goes by configs. One that goes by manifests gives another. */
export function configIdOf(parts: ImageParts): string {
  return `sha256:${createHash('sha256').update(toConfigText(parts)).digest('hex')}`;
}

function toConfigText({ tag: _, ...image }: ImageParts): string {
  return JSON.stringify(toImageConfig(image));
}

/** What an image of lurkbox sets for a container; the ContainerSpec sets the same again. */
export const IMAGE_DEFAULTS: ImageDefaults = {
  user: `${SHARED_UID}:${SHARED_UID}`,
  workingDir: BASELINE.workingDir.value,
  entrypoint: [IMAGE_PATHS.node, IMAGE_PATHS.runner],
  env: [],
  others: [],
};

async function fill(pack: Pack, parts: ImageParts): Promise<void> {
  const { tag, layers } = parts;
  const config = Buffer.from(toConfigText(parts));
  const configName = `${configIdOf(parts).replace('sha256:', '')}.json`;
  const layerNames = layers.map(({ diffId }) => `${diffId.replace('sha256:', '')}/layer.tar`);
  const manifest = [{ Config: configName, RepoTags: [tag], Layers: layerNames }];

  const header = (name: string) => ({ name, mode: 0o644, mtime: IMAGE_TIME });
  for (const [index, { content }] of layers.entries()) {
    if (content !== null) await addToTar(pack, header(layerNames[index]!), content);
  }
  await addToTar(pack, header(configName), config);
  await addToTar(pack, header('manifest.json'), Buffer.from(JSON.stringify(manifest)));
  pack.finalize();
}

// What a container runs as is in its ContainerSpec; the same values here keep a plain `docker run` harmless.
function toImageConfig({ architecture, labels, layers }: Omit<ImageParts, 'tag'>): object {
  const created = IMAGE_TIME.toISOString();
  return {
    architecture,
    os: 'linux',
    created,
    config: {
      User: IMAGE_DEFAULTS.user,
      WorkingDir: IMAGE_DEFAULTS.workingDir,
      Entrypoint: IMAGE_DEFAULTS.entrypoint,
      Env: IMAGE_DEFAULTS.env,
      Labels: labels,
    },
    rootfs: { type: 'layers', diff_ids: layers.map(({ diffId }) => diffId) },
    history: layers.map(() => ({ created, created_by: 'lurkbox' })),
  };
}

/** Everything in an archive that is not a layer is smaller, and all that is needed to name the layers. */
const MAX_METADATA_BYTES = 1024 * 1024;
/** An image has at most 127 layers, and three files for each of them. */
const MAX_METADATA_FILES = 1_000;

/**
 * Reads an archive that an engine exported, of the older layout or of the OCI one. With a folder, the layers are kept
 * there; without one only their ids are read.
 */
export async function readArchive(archive: Readable, folder: string | null): Promise<ArchiveLayer[]> {
  const metadata = new Map<string, Buffer>();
  const files = new Map<string, { file: string; sizeBytes: number }>();
  const entries = extract();
  const reading = pipeline(archive, entries);
  reading.catch((error) => entries.destroy(error));
  for await (const entry of entries) {
    const { name, size, type } = entry.header;
    if (type !== 'file') {
      entry.resume();
    } else if (metadata.size + files.size >= MAX_METADATA_FILES) {
      throw new Error(`the archive holds more than ${MAX_METADATA_FILES} files`);
    } else if (size <= MAX_METADATA_BYTES) {
      metadata.set(name, await buffer(entry as AsyncIterable<Buffer>));
    } else if (folder !== null) {
      files.set(name, await keep(entry as AsyncIterable<Buffer>, join(folder, `export-${files.size}`), size));
    } else {
      entry.resume();
    }
  }
  await reading;

  const { configName, layerNames } = parseManifest(metadata.get('manifest.json'));
  const diffIds = parseConfig(metadata.get(configName));
  if (diffIds.length !== layerNames.length)
    throw new Error('the archive does not hold one layer per layer id');
  return diffIds.map((diffId, index) => ({
    diffId,
    content: folder === null ? null : contentOf(layerNames[index]!),
  }));

  function contentOf(layerName: string): FileContent {
    const content = files.get(layerName) ?? metadata.get(layerName);
    if (content === undefined) throw new Error(`the archive does not hold its layer ${layerName}`);
    return content;
  }
}

// The file is numbered, so that no name in an archive is ever a path on this host.
async function keep(
  entry: AsyncIterable<Buffer>,
  file: string,
  sizeBytes: number,
): Promise<{ file: string; sizeBytes: number }> {
  await pipeline(entry, createWriteStream(file));
  return { file, sizeBytes };
}

function parseManifest(json: Buffer | undefined): { configName: string; layerNames: string[] } {
  const { data } = z
    .array(ManifestEntrySchema)
    .length(1)
    .safeParse(JSON.parse(String(json ?? null)));
  if (data === undefined) throw new Error('the archive has no `manifest.json` with exactly one image');
  return { configName: data[0]!.Config, layerNames: data[0]!.Layers };
}

function parseConfig(json: Buffer | undefined): string[] {
  const { data } = ConfigSchema.safeParse(JSON.parse(String(json ?? null)));
  if (data === undefined) throw new Error('the archive has no image config with layer ids');
  return data.rootfs.diff_ids;
}

const ManifestEntrySchema = z.object({ Config: z.string(), Layers: z.array(z.string()) });
const ConfigSchema = z.object({ rootfs: z.object({ diff_ids: z.array(z.string().startsWith('sha256:')) }) });
