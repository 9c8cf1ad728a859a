import { toCreateOptions } from '../../../src/engine/docker/to-create-options.ts';
import type { EngineFacts } from '../../../src/engine/engine.ts';
import type { EngineTraits } from '../../../src/engine/verify.ts';
import type { Grant } from '../../../src/policy/grant.ts';
import type { ContainerAllowance } from '../../../src/spec/allowance.ts';
import { allowanceOf, MIB, specOf } from '../../spec/sample.ts';
import { FACTS } from '../sample.ts';

/** A body that the last look lets pass, with everything that it is compared with. */
export interface Reference {
  readonly allowance: ContainerAllowance;
  readonly engine: EngineTraits;
  readonly body: object;
}

const READ_ONLY = { name: 'data', hostPath: '/srv/data', containerPath: '/mnt/data', mode: 'ro' } as const;
const WRITABLE = { name: 'out', hostPath: '/srv/out', containerPath: '/mnt/out', mode: 'rw' } as const;

/** By name: what is granted, and what the engine is like, where either differs from the usual. */
const CASES: Readonly<Record<string, { grant?: Partial<Grant>; facts?: Partial<EngineFacts> }>> = {
  minimal: {},
  scratch: { grant: { scratchBytes: 128 * MIB } },
  bridge: { grant: { network: 'bridge' } },
  'host-network': { grant: { network: 'host' } },
  exec: { grant: { exec: true } },
  mounts: { grant: { mounts: [READ_ONLY, WRITABLE] } },
  runtime: { grant: { runtime: 'runsc' } },
  'other-default-runtime': { facts: { defaultRuntime: 'crun' } },
  apparmor: { facts: { apparmor: true } },
  'way-out': {
    grant: {
      network: 'bridge',
      timeZone: 'Asia/Tokyo',
      locale: 'ja-JP',
      proxy: { url: 'http://proxy.example.org:3128', exceptions: ['.example.org'] },
      certificates: ['-----BEGIN CERTIFICATE-----\nMIIBszCCAVmgAwIBAgIU\n-----END CERTIFICATE-----'],
    },
  },
  everything: {
    grant: {
      network: 'bridge',
      exec: true,
      memoryBytes: 1024 * MIB,
      cpuCores: 2.5,
      timeoutMs: 1500,
      pids: 128,
      tmpBytes: 32 * MIB,
      scratchBytes: 256 * MIB,
      mounts: [WRITABLE, READ_ONLY],
      runtime: 'runsc',
    },
    facts: { apparmor: true },
  },
};

export const REFERENCE_NAMES = Object.keys(CASES);

export function referenceOf(name: string): Reference {
  const { grant = {}, facts = {} } = CASES[name] ?? {};
  const { apparmor, defaultRuntime } = { ...FACTS, ...facts };
  return {
    allowance: allowanceOf(grant),
    engine: { apparmor, defaultRuntime },
    body: toCreateOptions(specOf(grant), { ...FACTS, ...facts }),
  };
}
