import type { ContainerEngine } from '../engine/engine.ts';
import { LABELS } from '../labels.ts';
import type { ImageName } from './build-context.ts';
import type { ImageUses } from './image-uses.ts';
import { listStoredImages, type StoredImage } from './inventory.ts';
import type { MadeImages } from './made-images.ts';

export interface PruneOptions {
  /** Tags of the images that this workspace needs. */
  readonly keep: ReadonlySet<string>;
  /** Removes every other image of lurkbox in the engine, whoever made it or needs it. @default false */
  readonly all?: boolean;
  /** Removes only these tags, which a person was shown. @default all that would be removed */
  readonly only?: ReadonlySet<string>;
}

/** What a prune would do. */
export interface PrunePlan {
  readonly remove: readonly PrunedImage[];
  /** Images that this workspace does not need, and that stay: another workspace needs them, or this user did not make them. */
  readonly leave: readonly PrunedImage[];
  /** Folders of workspaces that needed some of these images and are gone. */
  readonly gone: readonly string[];
}

export interface PrunedImage {
  readonly image: StoredImage;
  /** The other workspaces of this user that need it. */
  readonly workspaces: readonly string[];
}

export interface PruneResult {
  /** Tags of the images that are gone. */
  readonly removed: readonly string[];
  /** Disk that this gave back: layers that a kept image still needs do not count. */
  readonly freedBytes: number;
}

interface PrunerOptions {
  readonly engine: ContainerEngine;
  readonly made: Pick<MadeImages, 'idsOf'>;
  readonly uses: Pick<ImageUses, 'usersOf' | 'keepOnly'>;
  /** Those that the next plugin image of this lurkbox will stand on. */
  readonly currentBases: () => Promise<readonly ImageName[]>;
}

/** Decides which images nobody needs, and removes them. */
export class ImagePruner {
  readonly #options: PrunerOptions;

  constructor(options: PrunerOptions) {
    this.#options = options;
  }

  async plan({ keep, all = false }: PruneOptions): Promise<PrunePlan> {
    const { engine, made, uses } = this.#options;
    const kept = all ? keep : new Set([...keep, ...(await this.#baseTags())]);
    const [remove, leave, gone] = [[] as PrunedImage[], [] as PrunedImage[], new Set<string>()];
    for (const image of await listStoredImages(engine)) {
      const { tag, key, id } = image;
      if (kept.has(tag)) continue;
      const users = await uses.usersOf(key);
      for (const path of users.gone) gone.add(path);
      const needed = { image, workspaces: users.there };
      // A label or a tag can be put on any image, and other users of the engine have images of lurkbox too.
      const isOwn = (await made.idsOf(key)).includes(id);
      if (all || (isOwn && users.there.length === 0)) remove.push(needed);
      else leave.push(needed);
    }
    return { remove, leave, gone: [...gone] };
  }

  async prune(options: PruneOptions): Promise<PruneResult> {
    const { engine, uses } = this.#options;
    const { remove } = await this.plan(options);
    const tags = remove.map(({ image }) => image.tag).filter((tag) => options.only?.has(tag) ?? true);
    // Other workspaces remove what they record now, when they need it no more.
    const needed = [...options.keep, ...(await this.#baseTags())].map(keyOf);
    if (options.all !== true) await uses.keepOnly(new Set(needed));
    return removeStoredImages(engine, new Set(tags));
  }

  async #baseTags(): Promise<string[]> {
    return (await this.#options.currentBases()).map(({ tag }) => tag);
  }
}

/** The last part of the tags that lurkbox gives. */
function keyOf(tag: string): string {
  return tag.slice(tag.lastIndexOf(':') + 1);
}

/** Removes images of lurkbox by their tags; one that a container uses stays. */
async function removeStoredImages(engine: ContainerEngine, tags: ReadonlySet<string>): Promise<PruneResult> {
  const images = await listStoredImages(engine);
  const removed: StoredImage[] = [];
  for (const image of images) {
    if (tags.has(image.tag) && (await engine.removeImage(image.tag))) removed.push(image);
  }
  await removeBuildStages(engine);
  const left = images.filter((image) => !removed.includes(image));
  const needed = neededKeys(left, images);
  const freedBytes = removed
    .filter(({ key }) => !needed.has(key))
    .reduce((sum, { ownBytes }) => sum + ownBytes, 0);
  return { removed: removed.map(({ tag }) => tag), freedBytes };
}

/** A younger image may be a step of a build under way. */
const OLD_STAGE_MS = 60 * 60_000;

// What a build from the Dockerfile leaves behind: nameless, and mostly layers of the official image.
async function removeBuildStages(engine: ContainerEngine): Promise<void> {
  for (const { id, tags, createdAtMs } of await engine.listImages(`${LABELS.kind}=build-stage`)) {
    if (tags.length === 0 && Date.now() - createdAtMs > OLD_STAGE_MS) await engine.removeImage(id);
  }
}

/** Keys of images whose layers are part of an image that is left. */
function neededKeys(left: readonly StoredImage[], all: readonly StoredImage[]): ReadonlySet<string> {
  const baseOf = new Map(all.map(({ key, base }) => [key, base]));
  const needed = new Set<string>();
  for (const { key } of left) {
    // Labels of strangers can name each other.
    for (let at: string | null | undefined = key; at && !needed.has(at); at = baseOf.get(at)) needed.add(at);
  }
  return needed;
}
