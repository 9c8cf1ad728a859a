import { join } from 'node:path';
import { LABELS } from '../labels.ts';
import type { BasePlan } from './base-image.ts';
import { type BuildContext, type ImageName, imageLabels } from './build-context.ts';
import { type Busybox, busyboxEntries, fetchBusybox, findBusybox } from './busybox.ts';
import { loadDerivedImage } from './derived-image.ts';
import { buildExec, planExecDockerfile } from './dockerfile-image.ts';
import { execImageKey, imageTag } from './keys.ts';
import { writeLayer } from './layer.ts';
import { createTempFolder } from './temp-folder.ts';

/**
 * Which image a plugin with `exec: true` stands on, as far as that can be told without fetching anything: the base's
 * key and a busybox of this host decide it. Where busybox has to be fetched, an image made before for the same base
 * is it, and `null` says that there is none.
 */
export async function nameExecImage(
  base: BasePlan,
  { engine }: Pick<BuildContext, 'engine'>,
): Promise<ImageName | null> {
  if (base.method === 'dockerfile') return planExecDockerfile(base);
  const busybox = await findBusybox(base.architecture);
  if (busybox !== null) return nameWith(busybox, base);
  const images = await engine.listImages(`${LABELS.imageBase}=${base.key}`);
  for (const { labels, tags } of images) {
    const key = labels[LABELS.imageKey];
    if (labels[LABELS.imageRole] !== 'base-exec' || key === undefined) continue;
    const tag = imageTag('base-exec', key);
    if (tags.includes(tag)) return { key, tag };
  }
  return null;
}

/** The base, which must be in the engine, and a layer with busybox. Throws `IMAGE_BUILD_FAILED`. */
export async function buildExecImage(base: BasePlan, context: BuildContext): Promise<ImageName> {
  if (base.method === 'dockerfile') {
    const plan = await planExecDockerfile(base);
    await buildExec(plan, base, context);
    return plan;
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
  await loadDerivedImage({ ...image, base, layer, labels, architecture }, folder.path, context);
  return image;
}

function nameWith({ sha256 }: Busybox, base: ImageName): ImageName {
  const key = execImageKey({ baseKey: base.key, busyboxSha256: sha256 });
  return { key, tag: imageTag('base-exec', key) };
}
