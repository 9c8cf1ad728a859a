import type { ContainerEngine } from '../engine/engine.ts';
import { LABELS } from '../labels.ts';
import type { Logger } from '../logger.ts';
import type { HostPrograms } from './host-programs.ts';
import type { PackageStore } from './package-store.ts';

export const IMAGE_STEPS = {
  fetchNode: 'Fetching Node',
  assembleBase: 'Assembling the base image',
  buildDockerfile: 'Building the base image from its Dockerfile',
  fetchBusybox: 'Fetching busybox',
  installDependencies: 'Installing dependencies',
  packPlugin: 'Packing the plugin',
  loadImage: 'Loading the image into the engine',
} as const;

/** Something slow begins; for a person who waits. */
export interface ImageProgress {
  readonly step: keyof typeof IMAGE_STEPS;
  /** The step in words, e.g. `Fetching Node 24.21.0`. */
  readonly message: string;
}

/** What every builder of an image needs. */
export interface BuildContext {
  readonly engine: ContainerEngine;
  /** Temporary folders are made below it. */
  readonly cacheDir: string;
  readonly programs: HostPrograms;
  readonly packages: PackageStore;
  readonly logger: Logger;
  readonly report: (step: ImageProgress['step'], detail?: string) => void;
  readonly signal: AbortSignal;
}

export type ImageRole = 'base' | 'base-exec' | 'plugin';

/** An image by the name and the key it must have. */
export interface ImageName {
  readonly tag: string;
  readonly key: string;
}

/**
 * Ids of an image's layers, lowest first, separated by spaces: what a derived image needs to know of the one it stands
 * on, without having the engine export it. A wrong one costs a second load and nothing else.
 */
export const LAYERS_LABEL = 'lurkbox.image-layers';

/** The labels of an image of ours, and which image it stands on. */
export function imageLabels(role: ImageRole, { key }: ImageName, base?: ImageName): Record<string, string> {
  return {
    [LABELS.kind]: 'image',
    [LABELS.imageRole]: role,
    [LABELS.imageKey]: key,
    ...(base === undefined ? {} : { [LABELS.imageBase]: base.key }),
  };
}

/** The engine's id of the image; `null` when there is none, or the tag names something else. */
export async function findImage(engine: ContainerEngine, { tag, key }: ImageName): Promise<string | null> {
  const image = await engine.inspectImage(tag);
  return image?.labels[LABELS.imageKey] === key ? image.id : null;
}
