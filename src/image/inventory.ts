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
