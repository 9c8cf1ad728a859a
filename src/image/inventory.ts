import type { ContainerEngine } from '../engine/engine.ts';
import { LABELS } from '../labels.ts';
import type { ImageRole } from './build-context.ts';
import { isKey } from './keys.ts';

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

/** Images of lurkbox, by label and by tag: an image that somebody builds on one inherits the labels, but not the name. */
export async function listStoredImages(engine: ContainerEngine): Promise<StoredImage[]> {
  const summaries = await engine.listImages(`${LABELS.kind}=image`);
  const images = summaries.flatMap(({ id, tags, labels, sizeBytes }) => {
    const { [LABELS.imageKey]: key, [LABELS.imageRole]: role } = labels;
    // A stranger's label says anything; a key is also the name of a file of records.
    if (key === undefined || !isKey(key) || role === undefined || !ROLES.includes(role)) return [];
    const base = labels[LABELS.imageBase];
    return tags
      .filter((tag) => isTagOf(tag, key))
      .map((tag) => ({
        id,
        tag,
        key,
        role: role as ImageRole,
        base: base !== undefined && isKey(base) ? base : null,
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
function isTagOf(tag: string, key: string): boolean {
  const [, digits] =
    /^lurkbox\/(?:base|base-exec|plugin-[a-z0-9-]{1,64}):([0-9a-f]{16}|[0-9a-f]{64})$/.exec(tag) ?? [];
  return digits !== undefined && key.startsWith(digits);
}
