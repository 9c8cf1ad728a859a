import { join } from 'node:path';
import type { ContainerEngine } from '../engine/engine.ts';
import { LurkboxError } from '../errors.ts';
import { type Logger, SILENT_LOGGER } from '../logger.ts';
import type { LoadedPlugin } from '../manifest/load.ts';
import { assembleBase, type BasePlan, planBase } from './base-image.ts';
import {
  type BuildContext,
  type ImageId,
  type ImageName,
  type ImageProgress,
  toReport,
} from './build-context.ts';
import { BuildQueue } from './build-queue.ts';
import { buildBase } from './dockerfile-image.ts';
import { buildExecImage, nameExecImage } from './exec-image.ts';
import type { HostPrograms } from './host-programs.ts';
import { readImageNotes } from './image-notes.ts';
import { ImageUses } from './image-uses.ts';
import { listStoredImages, type StoredImage } from './inventory.ts';
import { MadeImages } from './made-images.ts';
import { offeredLibraries } from './offered-libraries.ts';
import { PackageStore } from './package-store.ts';
import { buildPluginImage, namePluginImage } from './plugin-image.ts';
import { ImagePruner, type PruneOptions, type PrunePlan, type PruneResult } from './prune-images.ts';
import { createSharedBuilds } from './shared-builds.ts';

export type { ImageProgress } from './build-context.ts';
export type { StoredImage } from './inventory.ts';
export type { PrunedImage, PruneOptions, PrunePlan, PruneResult } from './prune-images.ts';

export interface ImageStoreOptions {
  readonly engine: ContainerEngine;
  /** The workspace's `.lurkbox` folder; temporary files are made below it and removed again. */
  readonly cacheDir: string;
  readonly programs: HostPrograms;
  /**
   * Whether fetched npm packages are kept below `cacheDir`, within `STORE_LIMITS`.
   * @default true
   */
  readonly keepPackages?: boolean;
  /** Where it is remembered which images were made; `null`: in this store alone. */
  readonly madeImagesFolder: string | null;
  /** The workspace whose need of images is recorded there. @default none */
  readonly workspaceRoot?: string;
  /** Turns of builds, where others take some too. @default one of its own */
  readonly queue?: BuildQueue;
  /** @default silent */
  readonly logger?: Logger;
  /** Called when something slow begins. */
  readonly onProgress?: (progress: ImageProgress) => void;
  /**
   * Where the base image comes from.
   * @default assembled where this host can, else built by the engine from the Dockerfile
   */
  readonly baseFrom?: BasePlan['method'];
}

export interface PrepareOptions {
  /** Whether the image needs a shell and other programs. */
  readonly exec: boolean;
  readonly signal?: AbortSignal;
}

/** An image that is in the engine now. */
export interface PreparedImage extends ImageId {
  /** False when it was there already. */
  readonly built: boolean;
  /** What of the plugin's packages will not work in it, for people; told again of an image that was there already. */
  readonly warnings: readonly string[];
}

export interface ImageStore {
  /**
   * The image of a plugin, built when the engine has none with this content. Calls for the same image at the same
   * time share one build. Throws `DEPENDENCY_FAILED`, `MANIFEST_INVALID` when the folder changed since it was loaded,
   * `IMAGE_BUILD_FAILED`, the codes of the engine, or the signal's reason.
   */
  prepare(plugin: LoadedPlugin, options: PrepareOptions): Promise<PreparedImage>;
  /** The image of a plugin if the engine has it already; builds nothing. */
  find(
    plugin: Pick<LoadedPlugin, 'manifest' | 'digest'>,
    options: Pick<PrepareOptions, 'exec'>,
  ): Promise<PreparedImage | null>;
  /** What the image of a plugin is called, whether it is there or not; `null` where only building what it stands on can tell. */
  nameOf(
    plugin: Pick<LoadedPlugin, 'manifest' | 'digest'>,
    options: Pick<PrepareOptions, 'exec'>,
  ): Promise<ImageName | null>;
  /** Removes the image of a plugin unless a container or another workspace needs it; answers whether it is gone. */
  remove(
    plugin: Pick<LoadedPlugin, 'manifest' | 'digest'>,
    options: Pick<PrepareOptions, 'exec'>,
  ): Promise<boolean>;
  /** The image that plugin images stand on, so that the first plugin need not wait for it. */
  prepareBase(options: PrepareOptions): Promise<PreparedImage>;
  list(): Promise<StoredImage[]>;
  /** What `prune` with the same options would remove. */
  planPrune(options: PruneOptions): Promise<PrunePlan>;
  /**
   * Removes images that this user's lurkbox made, whose tag is not in `keep`, and that no other workspace of this user needs;
   * those that a container uses stay. The base images of this version stay too.
   */
  prune(options: PruneOptions): Promise<PruneResult>;
}

export function createImageStore(options: ImageStoreOptions): ImageStore {
  const {
    engine,
    cacheDir,
    programs,
    keepPackages = true,
    logger = SILENT_LOGGER,
    onProgress,
    baseFrom,
  } = options;
  const packages = new PackageStore(keepPackages ? cacheDir : null);
  const share = createSharedBuilds<PreparedImage>();
  const queue = options.queue ?? new BuildQueue();
  const made = new MadeImages(options.madeImagesFolder, logger);
  const uses = new ImageUses(
    options.workspaceRoot ?? null,
    async () => toUsesFolder(await made.folder()),
    logger,
  );
  const report = toReport(logger, onProgress);
  let plan: Promise<BasePlan> | undefined;

  const pruner = new ImagePruner({ engine, made, uses, currentBases });
  return {
    prepare,
    find,
    nameOf,
    remove,
    prepareBase,
    list: () => listStoredImages(engine),
    planPrune: (pruneOptions) => pruner.plan(pruneOptions),
    prune: (pruneOptions) => pruner.prune(pruneOptions),
  };

  async function prepare(plugin: LoadedPlugin, { exec, signal }: PrepareOptions): Promise<PreparedImage> {
    const present = await find(plugin, { exec });
    if (present) return present;
    const base = await prepareBase({ exec, ...(signal && { signal }) });
    const image = namePluginImage(plugin, base);
    const plan = await basePlan();
    const platform = { architecture: plan.architecture, libraries: offeredLibraries(plan) };
    return build(
      image.key,
      plugin.manifest.name,
      async (context) => {
        const { id, warnings } = await buildPluginImage(plugin, { ...base, ...platform }, context);
        for (const warning of warnings)
          logger.info({ plugin: plugin.manifest.name, warning }, 'a package will not work in its image');
        return remember(image, id, warnings);
      },
      signal,
    );
  }

  async function find(
    plugin: Pick<LoadedPlugin, 'manifest' | 'digest'>,
    { exec }: { exec: boolean },
  ): Promise<PreparedImage | null> {
    const image = await nameOf(plugin, { exec });
    return image && findNeeded(image);
  }

  async function nameOf(
    plugin: Pick<LoadedPlugin, 'manifest' | 'digest'>,
    { exec }: { exec: boolean },
  ): Promise<ImageName | null> {
    const base = await nameBase(exec);
    return base && namePluginImage(plugin, base);
  }

  async function remove(
    plugin: Pick<LoadedPlugin, 'manifest' | 'digest'>,
    options: { exec: boolean },
  ): Promise<boolean> {
    const image = await nameOf(plugin, options);
    if (image !== null) await uses.remove(image.key);
    const present = image && (await lookUp(image));
    if (present === null) return true;
    const { there } = await uses.usersOf(present.key);
    if (there.length > 0) return false;
    // By the tag, so that others of the same content stay; unless that is somebody else's image by now.
    const named = await engine.inspectImage(present.tag);
    const isGone = await engine.removeImage(named?.id === present.id ? present.tag : present.id);
    if (isGone) await made.forget(present.key);
    return isGone;
  }

  async function prepareBase({ exec, signal }: PrepareOptions): Promise<PreparedImage> {
    const named = await nameBase(exec);
    const present = named && (await findNeeded(named));
    if (present) return present;
    const base = await basePlan();
    if (!exec) return build(base.key, null, (context) => buildPlain(base, context), signal);
    const plain = await prepareBase({ exec: false, ...(signal && { signal }) });
    return build(
      `${base.key} exec`,
      null,
      (context) => buildWithExec({ ...base, id: plain.id }, context),
      signal,
    );
  }

  /** Of this version of lurkbox; those that are there. */
  async function currentBases(): Promise<readonly ImageName[]> {
    const named = await Promise.all([nameBase(false), nameBase(true)]);
    return named.filter((image) => image !== null);
  }

  /** What the base is called; `null` when only building it can tell. */
  async function nameBase(exec: boolean): Promise<ImageName | null> {
    const base = await basePlan();
    return exec ? nameExecImage(base, { engine, made }) : base;
  }

  // Made once: the libraries of the host change under a running process only when the host is updated.
  function basePlan(): Promise<BasePlan> {
    plan ??= engine
      .facts()
      .then((facts) => planBase(facts, programs, baseFrom))
      .catch((error: unknown) => {
        plan = undefined;
        throw error;
      });
    return plan;
  }

  async function buildPlain(base: BasePlan, context: BuildContext): Promise<PreparedImage> {
    return remember(
      base,
      await (base.method === 'assemble' ? assembleBase(base, context) : buildBase(base, context)),
    );
  }

  async function buildWithExec(base: BasePlan & ImageId, context: BuildContext): Promise<PreparedImage> {
    const { id, ...image } = await buildExecImage(base, context);
    return remember(image, id);
  }

  /** For whoever goes on to start it: from before it is looked for, no other workspace removes it. */
  async function findNeeded(image: ImageName): Promise<PreparedImage | null> {
    await uses.add(image.key);
    return lookUp(image);
  }

  /** By the ids that were made before, and never by a tag or a label, which others can put on images of theirs. */
  async function lookUp({ tag, key }: ImageName): Promise<PreparedImage | null> {
    for (const id of await made.idsOf(key)) {
      const image = await engine.inspectImage(id);
      if (image !== null) return { tag, key, id, built: false, warnings: readImageNotes(image.labels) };
    }
    return null;
  }

  async function remember(
    { tag, key }: ImageName,
    id: string | null,
    warnings: readonly string[] = [],
  ): Promise<PreparedImage> {
    if (id === null)
      throw new LurkboxError(
        'IMAGE_BUILD_FAILED',
        `the engine took the image ${tag} but does not have it; something else removes or renames images`,
      );
    await Promise.all([made.add(key, id), uses.add(key)]);
    return { tag, key, id, built: true, warnings };
  }

  function build(
    key: string,
    /** Whose turn it takes; a base takes none, so that no plugin keeps others from theirs. */
    plugin: string | null,
    make: (context: BuildContext) => Promise<PreparedImage>,
    signal: AbortSignal | undefined,
  ): Promise<PreparedImage> {
    const makeNow = (building: AbortSignal) =>
      make({ engine, cacheDir, programs, packages, logger, report, signal: building }).catch(
        (error: unknown) => {
          throw toImageError(error);
        },
      );
    const begin = (building: AbortSignal) =>
      plugin === null ? makeNow(building) : queue.run(plugin, building, makeNow);
    return share(key, begin, signal);
  }
}

/** In a folder that is this user's alone, or nowhere. */
function toUsesFolder(records: string | null): string | null {
  return records === null ? null : join(records, 'uses');
}

function toImageError(cause: unknown): unknown {
  if (cause instanceof LurkboxError || (cause instanceof Error && cause.name === 'AbortError')) return cause;
  const { code, message } = cause as NodeJS.ErrnoException;
  if (code === 'ENOSPC' || code === 'EDQUOT') {
    return new LurkboxError('HOST_RESOURCES', `no disk is left to make an image: ${message}`, { cause });
  }
  return new LurkboxError('IMAGE_BUILD_FAILED', `the image could not be made: ${message}`, { cause });
}
