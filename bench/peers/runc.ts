import { execFile } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, readdir, rmdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { callProgram } from './conversation.ts';
import type { Peer } from './peer.ts';
import type { Exported, OciConfig } from './rootfs.ts';
import type { Subject } from './subject.ts';

const CGROUP = `lurkbox-bench-${process.pid}`;
const CGROUP_ROOT = '/sys/fs/cgroup';

/** `runc run` on the bundle of the engine's own container: the same isolation without an engine. */
export async function createRunc(
  { folder, entryPoint }: Subject,
  { rootfs, config }: Exported,
): Promise<Peer> {
  if (typeof config === 'string') throw new Error(config);
  await runcVersion();
  const state = join(folder, 'runc-state');
  // A slot is a bundle with a cgroup of its own, for one container at a time.
  const free: string[] = [];
  let slots = 0;
  const takeSlot = async (): Promise<string> => free.pop() ?? createBundle(folder, ++slots, rootfs, config);
  return {
    id: 'runc',
    call: async (input) => {
      const bundle = await takeSlot();
      const args = ['--root', state, 'run', '--bundle', bundle, randomUUID()];
      const timing = await callProgram({ command: 'runc', args, env: process.env }, { entryPoint, input });
      free.push(bundle);
      return timing;
    },
  };
}

export async function runcVersion(): Promise<string> {
  const { stdout } = await promisify(execFile)('runc', ['--version']);
  return stdout.split('\n')[0] ?? '';
}

/** The parents of the slots: runc removes only what it made for a container. */
export async function removeRuncCgroups(): Promise<void> {
  const controllers = await readdir(CGROUP_ROOT).catch(() => []);
  for (const folder of [CGROUP, ...controllers.map((controller) => join(controller, CGROUP))])
    await rmdir(join(CGROUP_ROOT, folder)).catch(() => {});
}

async function createBundle(
  folder: string,
  slot: number,
  rootfs: string,
  config: OciConfig,
): Promise<string> {
  const bundle = join(folder, `bundle-${slot}`);
  await mkdir(bundle);
  await writeFile(join(bundle, 'config.json'), JSON.stringify(toOwnConfig(config, rootfs, slot)));
  return bundle;
}

/** Without what belongs to the container that it was read from. */
function toOwnConfig({ hooks: _, ...config }: OciConfig, rootfs: string, slot: number): OciConfig {
  return {
    ...config,
    root: { ...config.root, path: rootfs },
    mounts: config.mounts.filter(({ type, source }) => type !== 'bind' || existsSync(source)),
    linux: {
      ...config.linux,
      cgroupsPath: `/${CGROUP}/${slot}`,
      namespaces: config.linux.namespaces.map(({ type }) => ({ type })),
    },
  };
}
