import type { Grant } from '../../src/policy/grant.ts';
import { type ContainerAllowance, toAllowance } from '../../src/spec/allowance.ts';
import { buildContainerSpec } from '../../src/spec/build.ts';
import type { ContainerSpec } from '../../src/spec/container-spec.ts';

export const MIB = 1024 * 1024;

/** What a manifest that asks for nothing is granted; `test/policy/resolve.test.ts` pins that it is so. */
export const GRANT: Grant = Object.freeze({
  plugin: 'word-count',
  uid: 65_532,
  uids: { first: 40_000, last: 59_999 },
  network: 'none',
  exec: false,
  memoryBytes: 512 * MIB,
  cpuCores: 0.8,
  timeoutMs: 30_000,
  pids: 64,
  outputBytes: MIB,
  tmpBytes: 64 * MIB,
  scratchBytes: 0,
  mounts: [],
  isolation: { mode: 'execution' as const, maxCalls: 1, maxAgeMs: 0 },
  channels: null,
  runtime: null,
  timeZone: 'UTC',
  locale: null,
  proxy: null,
  certificates: [],
  acceptUnenforced: [],
});

export const NAME = 'lurkbox-0a1b2c3d';
export const IMAGE = `sha256:${'c0de'.repeat(16)}`;
export const CONTAINER_LABELS: Readonly<Record<string, string>> = {
  'lurkbox.instance': 'i-1',
  'lurkbox.host': 'h-1',
  'lurkbox.boot': 'b-1',
  'lurkbox.process': '7:1234:4026531836',
  'lurkbox.kind': 'container',
  'lurkbox.execution': '0a1b2c3d',
  'lurkbox.plugin': 'word-count',
  'lurkbox.version': '1.0.0',
};

/** The spec of the minimal grant, with some of it changed. */
export function specOf(grant: Partial<Grant> = {}): ContainerSpec {
  return buildContainerSpec({ grant: { ...GRANT, ...grant }, ...identityOf(grant) });
}

/** What the last look is told about the same container. */
export function allowanceOf(grant: Partial<Grant> = {}): ContainerAllowance {
  return { ...toAllowance({ ...GRANT, ...grant }), ...identityOf(grant) };
}

function identityOf({ plugin = GRANT.plugin }: Partial<Grant>) {
  return { name: NAME, image: IMAGE, labels: { ...CONTAINER_LABELS, 'lurkbox.plugin': plugin } };
}
