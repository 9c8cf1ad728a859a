import type { ContainerEngine } from '../engine/engine.ts';
import { LABELS } from '../labels.ts';
import type { Logger } from '../logger.ts';
import type { HostPrograms } from './host-programs.ts';
import type { PackageStore } from './package-store.ts';

const IMAGE_STEPS = {
  fetchNode: 'Fetching Node',
  assembleBase: 'Assembling the base image',
  buildDockerfile: 'Building the base image from its Dockerfile',
  fetchBusybox: 'Fetching busybox',
  lockDependencies: 'Locking the npm packages',
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

export type Report = (step: ImageProgress['step'], detail?: string) => void;

export function toReport(
  logger: Logger,
  onProgress: ((progress: ImageProgress) => void) | undefined,
): Report {
  return (step, detail = '') => {
    const message = `${IMAGE_STEPS[step]} ${detail}`.trim();
    logger.debug({ step, message }, 'an image is being made');
    try {
      onProgress?.({ step, message });
    } catch (error) {
      // A listener that throws cannot change what is built.
      logger.warn({ error: String(error) }, 'a progress listener threw');
    }
  };
}

/** What every builder of an image needs. */
export interface BuildContext {
  readonly engine: ContainerEngine;
  /** Temporary folders are made below it. */
  readonly cacheDir: string;
  readonly programs: HostPrograms;
  readonly packages: PackageStore;
  readonly logger: Logger;
  readonly report: Report;
  readonly signal: AbortSignal;
}

export type ImageRole = 'base' | 'base-exec' | 'plugin';

/** An image by the name and the key it must have. */
export interface ImageName {
  readonly tag: string;
  readonly key: string;
}

/** An image in the engine. */
export interface ImageId extends ImageName {
  /** `sha256:…` as the engine names it. */
  readonly id: string;
}

/** The labels of an image of lurkbox, and the image that it is built on. */
export function imageLabels(role: ImageRole, { key }: ImageName, base?: ImageName): Record<string, string> {
  return {
    [LABELS.kind]: 'image',
    [LABELS.imageRole]: role,
    [LABELS.imageKey]: key,
    ...(base === undefined ? {} : { [LABELS.imageBase]: base.key }),
  };
}
