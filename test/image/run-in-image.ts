import { randomBytes } from 'node:crypto';
import Docker from 'dockerode';
import { toCreateOptions } from '../../src/engine/docker/to-create-options.ts';
import type { ContainerEngine } from '../../src/engine/engine.ts';
import { LABELS } from '../../src/labels.ts';
import type { Grant } from '../../src/policy/grant.ts';
import { buildContainerSpec, IMAGE_PATHS } from '../../src/spec/build.ts';

const MB = 1024 * 1024;

const GRANT: Grant = {
  plugin: 'image-test',
  uid: 65_532,
  uids: { first: 40_000, last: 59_999 },
  network: 'none',
  exec: false,
  memoryBytes: 256 * MB,
  cpuCores: 1,
  timeoutMs: 30_000,
  pids: 64,
  outputBytes: MB,
  tmpBytes: 16 * MB,
  scratchBytes: 16 * MB,
  mounts: [],
  isolation: { mode: 'execution', maxCalls: 1, maxAgeMs: 0 },
  channels: null,
  runtime: null,
  timeZone: 'UTC',
  locale: null,
  proxy: null,
  certificates: [],
  acceptUnenforced: [],
};

/**
 * Runs JavaScript in a container of an image, as locked down as a plugin is, and returns what it wrote. Not by way of
 * the engine's `createContainer`, which starts the runner and nothing else.
 */
export async function runInImage(
  engine: ContainerEngine,
  image: string,
  code: string,
  { exec = false } = {},
): Promise<string> {
  const name = `lurkbox-image-test-${randomBytes(6).toString('hex')}`;
  const spec = {
    ...buildContainerSpec({ grant: { ...GRANT, exec }, name, image, labels: { [LABELS.kind]: 'container' } }),
    command: [IMAGE_PATHS.node, '--eval', code],
  };
  const docker = new Docker();
  const { id } = await docker.createContainer(toCreateOptions(spec, await engine.facts()) as object);
  try {
    const streams = await engine.attachContainer(id);
    await engine.startContainer(id);
    let output = '';
    for await (const { bytes } of streams.output) output += bytes.toString();
    return output.trim();
  } finally {
    await engine.removeContainer(id);
  }
}
