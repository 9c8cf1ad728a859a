import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { access, mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { type Subject, toPeerOptions } from './subject.ts';

/** Where engines keep the bundle of a running container. */
const BUNDLE_FOLDERS = [
  '/run/docker/containerd/daemon/io.containerd.runtime.v2.task/moby',
  '/run/containerd/io.containerd.runtime.v2.task/moby',
];

/** The subject without an engine: its files in a folder, and how the engine has its OCI runtime start it. */
export interface Exported {
  readonly rootfs: string;
  /** `config.json` of a started container; a text that says why there is none where it could not be read. */
  readonly config: OciConfig | string;
}

/** As much of the OCI runtime specification as is changed here. */
export interface OciConfig {
  root: { path: string; readonly: boolean };
  mounts: { destination: string; type: string; source: string; options?: string[] }[];
  hooks?: object;
  linux: { cgroupsPath: string; namespaces: { type: string; path?: string }[] };
}

export async function exportSubject(subject: Subject): Promise<Exported> {
  const container = await subject.docker.createContainer(toPeerOptions(subject));
  try {
    const rootfs = join(subject.folder, 'rootfs');
    await mkdir(rootfs);
    await unpack(await container.export(), rootfs);
    await container.start();
    return { rootfs, config: await readConfig(container.id) };
  } finally {
    await container.remove({ force: true });
  }
}

async function unpack(archive: NodeJS.ReadableStream, folder: string): Promise<void> {
  const tar = spawn('tar', ['-xf', '-', '-C', folder], { stdio: ['pipe', 'ignore', 'inherit'] });
  const closed = once(tar, 'close');
  await pipeline(archive, tar.stdin);
  const [code] = await closed;
  if (code !== 0) throw new Error(`\`tar\` ended with ${code}.`);
}

async function readConfig(id: string): Promise<OciConfig | string> {
  for (const folder of BUNDLE_FOLDERS) {
    const file = join(folder, id, 'config.json');
    try {
      await access(file);
    } catch {
      continue;
    }
    return JSON.parse(await readFile(file, 'utf8'));
  }
  return 'The bundle of a started container was not found: the engine is not on this machine, or this is not root.';
}
