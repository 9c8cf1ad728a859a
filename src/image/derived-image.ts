import { LurkboxError } from '../errors.ts';
import { type ArchiveLayer, readArchive, toArchive } from './archive.ts';
import { type BuildContext, findImage, type ImageName, LAYERS_LABEL } from './build-context.ts';
import type { Layer } from './layer.ts';

export interface DerivedImage extends ImageName {
  /** The image in the engine that this one stands on. */
  readonly base: ImageName;
  /** What comes on top of it. */
  readonly layer: Layer;
  readonly architecture: string;
  readonly labels: Readonly<Record<string, string>>;
}

/**
 * Loads an image that is another one with a layer on top. The layers that the engine has are left out of what is sent;
 * an engine that wants them nevertheless (the containerd image store does) gets them, from its own export.
 * Throws `IMAGE_BUILD_FAILED`.
 */
export async function loadDerivedImage(
  image: DerivedImage,
  folder: string,
  { engine, logger, report, signal }: BuildContext,
): Promise<void> {
  report('loadImage');
  try {
    await load((await labelledLayers()) ?? (await exportedLayers(null)));
    if ((await findImage(engine, image)) !== null) return;
  } catch (error) {
    if (!(error instanceof LurkboxError) || error.code !== 'IMAGE_BUILD_FAILED') throw error;
  }
  signal.throwIfAborted();
  logger.debug({ image: image.tag }, 'the engine wants every layer of an image; sending the base along');
  await load(await exportedLayers(folder));

  async function load(base: readonly ArchiveLayer[]): Promise<void> {
    const layers = [...base, { diffId: image.layer.diffId, content: image.layer }];
    const labels = { ...image.labels, [LAYERS_LABEL]: layers.map(({ diffId }) => diffId).join(' ') };
    await engine.loadImage(toArchive({ ...image, labels, layers }));
  }

  async function labelledLayers(): Promise<ArchiveLayer[] | null> {
    const base = await engine.inspectImage(image.base.tag);
    const diffIds = base?.labels[LAYERS_LABEL]?.split(' ');
    return diffIds?.map((diffId) => ({ diffId, content: null })) ?? null;
  }

  // An image that the engine built itself has no such label.
  async function exportedLayers(keepIn: string | null): Promise<ArchiveLayer[]> {
    try {
      return await readArchive(await engine.exportImage(image.base.tag), keepIn);
    } catch (cause) {
      if (cause instanceof LurkboxError) throw cause;
      const message = `the export of ${image.base.tag} could not be read: ${String(cause)}`;
      throw new LurkboxError('IMAGE_BUILD_FAILED', message, { cause });
    }
  }
}
