import type { ContainerEngine } from '../engine/engine.ts';
import { LABELS } from '../labels.ts';
import type { ImageRole } from './build-context.ts';

/** An image that lurkbox made. Images are reproducible, so when one was made is not kept. */
export interface StoredImage {
  readonly id: string;
  readonly tag: string;
  readonly key: string;
  readonly role: ImageRole;
  /** Key of the image it stands on; `null` for a base. */
  readonly base: string | null;
  /** Name and version of the plugin; `null` for a base. */
  readonly plugin: string | null;
  readonly version: string | null;
  /** Unpacked, with everything it stands on. */
  readonly sizeBytes: number;
  /** Of `sizeBytes`, what is not shared with the image it stands on. */
  readonly ownBytes: number;
}

const ROLES: readonly string[] = ['base', 'base-exec', 'plugin'] satisfies ImageRole[];

/** Ours by label and by tag: an image that somebody builds on one of ours inherits its labels, but not its name. */
export async function listStoredImages(engine: ContainerEngine): Promise<StoredImage[]> {
  const summaries = await engine.listImages(`${LABELS.kind}=image`);
  const images = summaries.flatMap(({ id, tags, labels, sizeBytes }) => {
    const { [LABELS.imageKey]: key, [LABELS.imageRole]: role } = labels;
    if (key === undefined || role === undefined || !ROLES.includes(role)) return [];
    return tags.filter(isOurTag).map((tag) => ({
      id,
      tag,
      key,
      role: role as ImageRole,
      base: labels[LABELS.imageBase] ?? null,
      plugin: labels[LABELS.plugin] ?? null,
      version: labels[LABELS.version] ?? null,
      sizeBytes,
    }));
  });
  const sizes = new Map(images.map(({ key, sizeBytes }) => [key, sizeBytes]));
  return images
    .map((image) => ({ ...image, ownBytes: image.sizeBytes - (sizes.get(image.base ?? '') ?? 0) }))
    .sort((a, b) => (a.tag < b.tag ? -1 : 1));
}

/** Tags of older versions have the first 16 digits of the key. */
function isOurTag(tag: string): boolean {
  return /^lurkbox\/(?:base|base-exec|plugin-[^:/]+):(?:[0-9a-f]{16}|[0-9a-f]{64})$/.test(tag);
}

export interface PruneResult {
  /** Tags of the images that are gone. */
  readonly removed: readonly string[];
  /** Disk that this gave back: layers that a kept image still needs do not count. */
  readonly freedBytes: number;
}

/** Removes every image of ours whose tag is not to be kept; one that a container uses stays. */
export async function pruneStoredImages(
  engine: ContainerEngine,
  keep: ReadonlySet<string>,
): Promise<PruneResult> {
  const images = await listStoredImages(engine);
  const removed: StoredImage[] = [];
  for (const image of images) {
    if (!keep.has(image.tag) && (await engine.removeImage(image.tag))) removed.push(image);
  }
  await removeBuildStages(engine);
  const left = images.filter((image) => !removed.includes(image));
  const needed = neededKeys(left, images);
  const freedBytes = removed
    .filter(({ key }) => !needed.has(key))
    .reduce((sum, { ownBytes }) => sum + ownBytes, 0);
  return { removed: removed.map(({ tag }) => tag), freedBytes };
}

// What a build from the Dockerfile leaves behind: nameless, and mostly layers of the official image.
async function removeBuildStages(engine: ContainerEngine): Promise<void> {
  for (const { id, tags } of await engine.listImages(`${LABELS.kind}=build-stage`)) {
    if (tags.length === 0) await engine.removeImage(id);
  }
}

/** Keys of images whose layers are part of an image that is left. */
function neededKeys(left: readonly StoredImage[], all: readonly StoredImage[]): ReadonlySet<string> {
  const baseOf = new Map(all.map(({ key, base }) => [key, base]));
  const needed = new Set<string>();
  for (const { key } of left) {
    for (let at: string | null | undefined = key; at; at = baseOf.get(at)) needed.add(at);
  }
  return needed;
}
