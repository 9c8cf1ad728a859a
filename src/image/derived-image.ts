import { isDeepStrictEqual } from 'node:util';
import { LurkboxError } from '../errors.ts';
import { type ArchiveLayer, readArchive } from './archive.ts';
import type { BuildContext, ImageId, ImageName } from './build-context.ts';
import type { Layer } from './layer.ts';
import { loadImage } from './load-image.ts';

export interface DerivedImage extends ImageName {
  /** The image in the engine that this one stands on. */
  readonly base: ImageId;
  /** What comes on top of it. */
  readonly layer: Layer;
  readonly architecture: string;
  readonly labels: Readonly<Record<string, string>>;
}

/**
 * Loads an image that is another one with a layer on top, and answers its id; `null` where the engine does not have it. The
 * layers that the engine has are left out of what is sent; an engine that wants them nevertheless (the containerd image store
 * does) gets them, from its own export. Throws `IMAGE_BUILD_FAILED`.
 */
export async function loadDerivedImage(
  image: DerivedImage,
  folder: string,
  context: BuildContext,
): Promise<string | null> {
  const { engine, logger, report, signal } = context;
  report('loadImage');
  const diffIds = await layersOfBase();
  try {
    const id = await load(diffIds.map((diffId) => ({ diffId, content: null })));
    if (id !== null) return id;
  } catch (error) {
    if (!(error instanceof LurkboxError) || error.code !== 'IMAGE_BUILD_FAILED') throw error;
  }
  signal.throwIfAborted();
  logger.debug({ image: image.tag }, 'the engine wants every layer of an image; sending the base along');
  return await load(await exportedLayers());

  function load(base: readonly ArchiveLayer[]): Promise<string | null> {
    const { tag, architecture, labels, layer } = image;
    const layers = [...base, { diffId: layer.diffId, content: layer }];
    return loadImage({ tag, architecture, labels, layers }, context);
  }

  async function layersOfBase(): Promise<readonly string[]> {
    const base = await engine.inspectImage(image.base.id);
    if (base !== null) return base.layers;
    throw new LurkboxError(
      'IMAGE_BUILD_FAILED',
      `the image ${image.base.tag} is gone while another one is made on it; something else removes images`,
    );
  }

  async function exportedLayers(): Promise<ArchiveLayer[]> {
    try {
      const layers = await readArchive(await engine.exportImage(image.base.id), folder);
      const exported = layers.map(({ diffId }) => diffId);
      if (isDeepStrictEqual(exported, diffIds)) return layers;
      throw new Error('it holds other layers than the image');
    } catch (cause) {
      if (cause instanceof LurkboxError) throw cause;
      const message = `the export of ${image.base.tag} could not be read: ${String(cause)}`;
      throw new LurkboxError('IMAGE_BUILD_FAILED', message, { cause });
    }
  }
}
