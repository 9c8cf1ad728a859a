import { join } from 'node:path';
import type { ContainerEngine } from '../engine/engine.ts';
import { LABELS } from '../labels.ts';
import { createTempFolder } from '../storage/temp-folder.ts';
import type { BasePlan } from './base-image.ts';
import { type BuildContext, type ImageId, type ImageName, imageLabels } from './build-context.ts';
import { type Busybox, busyboxEntries, fetchBusybox, findBusybox } from './busybox.ts';
import { loadDerivedImage } from './derived-image.ts';
import { buildExec, planExecDockerfile } from './dockerfile-image.ts';
import { execImageKey, imageTag, isKey } from './keys.ts';
import { writeLayer } from './layer.ts';
import type { MadeImages } from './made-images.ts';

/**
 * Which image a plugin with `exec: true` stands on, as far as that can be told without fetching anything: the base's
 * key and a busybox of this host decide it. Where busybox has to be fetched, an image that was made before for the same
 * base is it, and `null` says that there is none.
 */
export async function nameExecImage(
  base: BasePlan,
  { engine, made }: { readonly engine: ContainerEngine; readonly made: MadeImages },
): Promise<ImageName | null> {
  if (base.method === 'dockerfile') return planExecDockerfile(base);
  const busybox = await findBusybox(base.architecture);
  if (busybox !== null) return nameWith(busybox, base);
  const images = await engine.listImages(`${LABELS.imageBase}=${base.key}`);
  for (const { id, labels } of images) {
    const key = labels[LABELS.imageKey];
    if (labels[LABELS.imageRole] !== 'base-exec' || key === undefined || !isKey(key)) continue;
    if ((await made.idsOf(key)).includes(id)) return { key, tag: imageTag('base-exec', key) };
  }
  return null;
}

/** The base, which must be in the engine, and a layer with busybox. Throws `IMAGE_BUILD_FAILED`. */
export async function buildExecImage(
  base: BasePlan & ImageId,
  context: BuildContext,
): Promise<ImageName & { readonly id: string | null }> {
  if (base.method === 'dockerfile') {
    const plan = await planExecDockerfile(base);
    return { ...plan, id: await buildExec(plan, base, context) };
  }
  const { cacheDir, report } = context;
  const { architecture } = base;
  await using folder = await createTempFolder(cacheDir);
  let busybox = await findBusybox(architecture);
  if (busybox === null) {
    report('fetchBusybox');
    busybox = await fetchBusybox(architecture, folder.path, context);
  }
  const image = nameWith(busybox, base);
  const layer = await writeLayer(join(folder.path, 'busybox.tar'), busyboxEntries(busybox), context.signal);
  const labels = imageLabels('base-exec', image, base);
  const derived = { ...image, base, layer, labels, architecture };
  return { ...image, id: await loadDerivedImage(derived, folder.path, context) };
}

function nameWith({ sha256 }: Busybox, base: ImageName): ImageName {
  const key = execImageKey({ baseKey: base.key, busyboxSha256: sha256 });
  return { key, tag: imageTag('base-exec', key) };
}
