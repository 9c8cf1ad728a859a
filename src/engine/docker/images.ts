import { addAbortSignal, type Readable } from 'node:stream';
import type Docker from 'dockerode';
import { DEADLINES_MS } from '../deadlines.ts';
import type { ImageDetails, ImageSummary } from '../engine.ts';
import { getArchive, ignoring, readBuiltId, readProgress, upTo, withSignal } from './calls.ts';
import { toImageDefaults } from './image-defaults.ts';

/** The base image has some 130 MB. */
const MAX_ARCHIVE_BYTES = 2 * 1024 ** 3;

/** `null` when the engine has no such image. */
export async function inspectImage(
  docker: Docker,
  reference: string,
  signal: AbortSignal,
): Promise<ImageDetails | null> {
  const image = await ignoring([404], () => docker.getImage(reference).inspect(withSignal(signal)));
  if (image === undefined) return null;
  return {
    id: image.Id,
    tags: image.RepoTags ?? [],
    labels: image.Config?.Labels ?? {},
    sizeBytes: image.Size,
    createdAtMs: Date.parse(image.Created) || 0,
    layers: image.RootFS?.Layers ?? [],
    defaults: toImageDefaults(image.Config),
  };
}

export async function listImages(
  docker: Docker,
  label: string,
  abortSignal: AbortSignal,
): Promise<ImageSummary[]> {
  const images = await docker.listImages({ filters: { label: [label] }, abortSignal });
  return images.map(({ Id, RepoTags, Labels, Size, Created }) => ({
    id: Id,
    tags: (RepoTags ?? []).filter((tag) => tag !== '<none>:<none>'),
    labels: Labels ?? {},
    sizeBytes: Size,
    createdAtMs: Created * 1000,
  }));
}

export async function loadImage(docker: Docker, archive: Readable, abortSignal: AbortSignal): Promise<void> {
  try {
    // dockerode types the archive as a file's name too; a stream is what it sends as it is.
    const reply = await docker.loadImage(archive as unknown as string, { abortSignal });
    await readProgress(reply as unknown as Readable);
  } finally {
    archive.destroy();
  }
}

export async function exportImage(docker: Docker, reference: string, signal: AbortSignal): Promise<Readable> {
  const archive = await getArchive(docker, reference, signal);
  // Whoever reads it would wait for ever for an engine that hangs, and fill the disk from one that goes on.
  const deadline = AbortSignal.timeout(DEADLINES_MS['export an image']);
  return upTo(MAX_ARCHIVE_BYTES, addAbortSignal(deadline, archive));
}

/** Answers the id of the image. */
export async function buildImage(
  docker: Docker,
  context: Readable,
  { tag, labels }: { tag: string; labels: Readonly<Record<string, string>> },
  abortSignal: AbortSignal,
): Promise<string> {
  const reply = await docker.buildImage(context, {
    t: tag,
    labels: { ...labels },
    forcerm: true,
    // Nothing in our Dockerfiles needs a network.
    networkmode: 'none',
    abortSignal,
  });
  return readBuiltId(await readProgress(reply as unknown as Readable));
}

/** Answers whether it was removed: it was there, and no container uses it. */
export async function removeImage(
  docker: Docker,
  reference: string,
  abortSignal: AbortSignal,
): Promise<boolean> {
  const removed = await ignoring([404, 409], () => docker.getImage(reference).remove({ abortSignal }));
  return removed !== undefined;
}
