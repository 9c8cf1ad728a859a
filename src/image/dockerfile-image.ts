import { readFile } from 'node:fs/promises';
import { Readable } from 'node:stream';
import { pack as createPack } from 'tar-stream';
import type { DockerfilePlan } from './base-image.ts';
import { type BuildContext, type ImageId, type ImageName, imageLabels } from './build-context.ts';
import { dockerfileKey, imageTag } from './keys.ts';
import { IMAGE_TIME } from './layer.ts';

const EXEC_DOCKERFILE = new URL('../../images/exec.Dockerfile', import.meta.url);

/** Lets the engine build the base image, for a host that cannot assemble it; answers its id. Throws `IMAGE_BUILD_FAILED`. */
export async function buildBase(plan: DockerfilePlan, { engine, report }: BuildContext): Promise<string> {
  report('buildDockerfile');
  const context = toBuildContext({ Dockerfile: plan.dockerfile, 'runner.cjs': plan.runner });
  return await engine.buildImage(context, { tag: plan.tag, labels: imageLabels('base', plan) });
}

export interface ExecDockerfilePlan extends ImageName {
  readonly dockerfile: string;
}

/** The variant for `exec: true` on a base of this name. */
export async function planExecDockerfile(base: ImageName): Promise<ExecDockerfilePlan> {
  const text = await readFile(EXEC_DOCKERFILE, 'utf8');
  // What `--build-arg BASE=…` does for a person.
  const dockerfile = text.replace(/^ARG BASE$/m, `ARG BASE=${base.tag}`);
  const key = dockerfileKey([base.key, dockerfile]);
  return { dockerfile, key, tag: imageTag('base-exec', key) };
}

export async function buildExec(
  plan: ExecDockerfilePlan,
  base: ImageId,
  { engine, report }: BuildContext,
): Promise<string> {
  report('buildDockerfile');
  // The tag is in the text for the key and for people; which image it is the id says.
  const dockerfile = plan.dockerfile.replace(`ARG BASE=${base.tag}`, `ARG BASE=${base.id}`);
  const context = toBuildContext({ Dockerfile: dockerfile });
  return await engine.buildImage(context, { tag: plan.tag, labels: imageLabels('base-exec', plan, base) });
}

function toBuildContext(files: Readonly<Record<string, string | Buffer>>): Readable {
  const pack = createPack();
  for (const [name, content] of Object.entries(files)) {
    pack.entry({ name, mode: 0o644, mtime: IMAGE_TIME }, Buffer.from(content));
  }
  pack.finalize();
  return Readable.from(pack as AsyncIterable<Buffer>, { objectMode: false });
}
