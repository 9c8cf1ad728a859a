import { mkdtemp, open, rm } from 'node:fs/promises';
import { cpus, release, totalmem } from 'node:os';
import { join } from 'node:path';
import { dockerClientVersion } from './peers/docker-run.ts';
import { runcVersion } from './peers/runc.ts';
import type { Stage } from './stage.ts';
import { median } from './statistics.ts';

export interface Machine {
  readonly date: string;
  readonly cores: number;
  readonly cpu: string;
  readonly memoryGb: number;
  readonly kernel: string;
  readonly node: string;
  readonly engine: string;
  readonly dockerClient: string;
  readonly ociRuntime: string;
  readonly storage: string;
  readonly cgroup: string;
  /** Of the file system that the engine keeps containers on; `null` where it cannot be written to. */
  readonly fsyncMs: number | null;
  readonly scale: 'full' | 'quick';
}

const FSYNCS = 50;
const BLOCK = Buffer.alloc(4096, 1);

export async function describeMachine({ lurkbox, docker }: Stage, scale: Machine['scale']): Promise<Machine> {
  const engine = await lurkbox.engineFacts();
  const { DockerRootDir } = (await docker.info()) as { DockerRootDir: string };
  return {
    date: new Date().toISOString().slice(0, 10),
    cores: cpus().length,
    cpu: cpus()[0]?.model ?? 'unknown',
    memoryGb: Math.round(totalmem() / 1e9),
    kernel: release(),
    node: process.version,
    engine: `${engine.version}, API ${engine.apiVersion}`,
    dockerClient: await dockerClientVersion().catch(() => 'not installed'),
    ociRuntime: `${engine.defaultRuntime}; ${await runcVersion().catch(() => 'runc is not in the path')}`,
    storage: engine.storageDriver,
    cgroup: `v${engine.cgroupVersion}`,
    fsyncMs: await measureFsync(DockerRootDir).catch(() => null),
    scale,
  };
}

async function measureFsync(folder: string): Promise<number> {
  const own = await mkdtemp(join(folder, 'lurkbox-bench-'));
  try {
    await using file = await open(join(own, 'block'), 'w');
    const times: number[] = [];
    for (let count = 0; count < FSYNCS; count++) {
      await file.write(BLOCK);
      const startedAt = performance.now();
      await file.sync();
      times.push(performance.now() - startedAt);
    }
    return median(times);
  } finally {
    await rm(own, { recursive: true, force: true });
  }
}
