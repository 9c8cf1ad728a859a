import type Docker from 'dockerode';
import type { DockerCreateOptions } from '../../src/index.ts';

/** Carried by every container that a peer of this process makes, so that none of them is left behind. */
export const PEER_LABEL = `lurkbox-bench=${process.pid}`;

/** What every peer executes: the same plugin in the same image under the same options. */
export interface Subject {
  readonly docker: Docker;
  readonly address: string;
  readonly options: DockerCreateOptions;
  /** Image id. */
  readonly image: string;
  readonly imageTag: string;
  /** Path of the plugin inside the container. */
  readonly entryPoint: string;
  /** A folder of the benchmark's own. */
  readonly folder: string;
}

/** The create body of a peer: that of lurkbox, without the labels by which lurkbox would take the container for its own. */
export function toPeerOptions({ options, image }: Subject): Omit<DockerCreateOptions, 'name'> {
  const { name: _, ...body } = options;
  const [label = '', value = ''] = PEER_LABEL.split('=');
  return { ...body, Image: image, Labels: { [label]: value } };
}

export async function removePeerContainers(docker: Docker): Promise<number> {
  const left = await docker.listContainers({ all: true, filters: { label: [PEER_LABEL] } });
  await Promise.all(
    left.map(({ Id }) =>
      docker
        .getContainer(Id)
        .remove({ force: true })
        .catch(() => {}),
    ),
  );
  return left.length;
}
