import { isDeepStrictEqual } from 'node:util';
import type { ImageDetails } from '../engine/engine.ts';
import { configIdOf, IMAGE_DEFAULTS, type ImageParts, toArchive } from './archive.ts';
import type { BuildContext } from './build-context.ts';

/**
 * Loads an image and answers the id that the engine has it under; `null` where it has none such. The engine is asked by the
 * id that the image must have, and only where its store has other ids by the tag, which somebody else may have moved: what
 * is found there counts when it is what was sent.
 */
export async function loadImage(
  parts: ImageParts,
  { engine }: Pick<BuildContext, 'engine'>,
): Promise<string | null> {
  await engine.loadImage(toArchive(parts));
  const byId = await engine.inspectImage(configIdOf(parts));
  if (byId !== null) return byId.id;
  const byTag = await engine.inspectImage(parts.tag);
  return byTag !== null && isSame(byTag, parts) ? byTag.id : null;
}

function isSame({ layers, labels, defaults }: ImageDetails, parts: ImageParts): boolean {
  return (
    isDeepStrictEqual(
      layers,
      parts.layers.map(({ diffId }) => diffId),
    ) &&
    isDeepStrictEqual(labels, parts.labels) &&
    isDeepStrictEqual(defaults, IMAGE_DEFAULTS)
  );
}
