import type { PluginManifest } from '../manifest/schema.ts';
import { BASELINE, DEFAULT_CEILINGS, FLOORS } from './baseline.ts';
import type { Origin } from './grant.ts';

/** Numbers as people write them in a manifest or a policy. */
export type Resources = PluginManifest['resources'];
export type ResourceKey = keyof Resources;
export type AllResources = { readonly [Key in ResourceKey]-?: number };

export interface Resource {
  readonly unit: string;
  readonly baseline: number;
  /** Smaller is unworkable. */
  readonly floor: number;
  readonly floorReason: string;
  /** Where the policy names none. */
  readonly ceiling: number;
}

const KIB = 1024;
const MIB = 1024 * KIB;

/** The numbers of the baseline in the units of manifest and policy. */
export const RESOURCES: Readonly<Record<ResourceKey, Resource>> = {
  memory_mb: {
    unit: ' MiB',
    baseline: BASELINE.memoryBytes.value / MIB,
    floor: FLOORS.memoryBytes.value / MIB,
    floorReason: FLOORS.memoryBytes.reason,
    ceiling: DEFAULT_CEILINGS.memoryBytes / MIB,
  },
  cpu_percent: {
    unit: ' %',
    baseline: Math.round(BASELINE.cpuCores.value * 100),
    floor: Math.round(FLOORS.cpuCores.value * 100),
    floorReason: FLOORS.cpuCores.reason,
    ceiling: Math.round(DEFAULT_CEILINGS.cpuCores * 100),
  },
  timeout_seconds: {
    unit: ' s',
    baseline: BASELINE.timeoutMs.value / 1000,
    floor: FLOORS.timeoutMs.value / 1000,
    floorReason: FLOORS.timeoutMs.reason,
    ceiling: DEFAULT_CEILINGS.timeoutMs / 1000,
  },
  pids: {
    unit: '',
    baseline: BASELINE.pids.value,
    floor: FLOORS.pids.value,
    floorReason: FLOORS.pids.reason,
    ceiling: DEFAULT_CEILINGS.pids,
  },
  output_kb: {
    unit: ' KiB',
    baseline: BASELINE.outputBytes.value / KIB,
    floor: FLOORS.outputBytes.value / KIB,
    floorReason: FLOORS.outputBytes.reason,
    ceiling: DEFAULT_CEILINGS.outputBytes / KIB,
  },
  tmp_mb: {
    unit: ' MiB',
    baseline: BASELINE.tmp.value.bytes / MIB,
    floor: FLOORS.tmpBytes.value / MIB,
    floorReason: FLOORS.tmpBytes.reason,
    ceiling: DEFAULT_CEILINGS.tmpBytes / MIB,
  },
  scratch_mb: {
    unit: ' MiB',
    baseline: BASELINE.scratch.value.bytes / MIB,
    floor: FLOORS.tmpBytes.value / MIB,
    floorReason: FLOORS.tmpBytes.reason,
    ceiling: DEFAULT_CEILINGS.scratchBytes / MIB,
  },
};

export const RESOURCE_KEYS = Object.keys(RESOURCES) as ResourceKey[];

export interface Decided {
  readonly value: number;
  readonly origin: Origin;
}

export type DecidedResources = Readonly<Record<ResourceKey, Decided>>;

export interface ResourceInputs {
  readonly asked: Resources;
  readonly overrides: Resources;
  readonly ceilings: AllResources;
  readonly hasScratch: boolean;
}

/**
 * Who decides each number, and what it is: the operator's own value, else what the manifest asks, else the baseline,
 * which alone is lowered to the ceiling, because nobody asked for more.
 */
export function decideResources(inputs: ResourceInputs): DecidedResources {
  const memory = decide('memory_mb', inputs, RESOURCES.memory_mb.baseline);
  // tmpfs counts as memory: where nobody says how large, it takes at most half of it.
  const tmpfsShare = Math.max(1, Math.floor(memory.value / (inputs.hasScratch ? 4 : 2)));
  const silent = {
    tmp_mb: Math.min(RESOURCES.tmp_mb.baseline, tmpfsShare),
    scratch_mb: Math.min(RESOURCES.scratch_mb.baseline, tmpfsShare),
  };
  return {
    memory_mb: memory,
    cpu_percent: decide('cpu_percent', inputs, RESOURCES.cpu_percent.baseline),
    timeout_seconds: decide('timeout_seconds', inputs, RESOURCES.timeout_seconds.baseline),
    pids: decide('pids', inputs, RESOURCES.pids.baseline),
    output_kb: decide('output_kb', inputs, RESOURCES.output_kb.baseline),
    tmp_mb: decide('tmp_mb', inputs, silent.tmp_mb),
    scratch_mb: decide('scratch_mb', inputs, silent.scratch_mb),
  };
}

function decide(key: ResourceKey, inputs: ResourceInputs, silent: number): Decided {
  const { asked, overrides, ceilings } = inputs;
  if (overrides[key] !== undefined) return { value: overrides[key], origin: 'policy' };
  if (asked[key] !== undefined) return { value: asked[key], origin: 'manifest' };
  return silent > ceilings[key]
    ? { value: ceilings[key], origin: 'policy' }
    : { value: silent, origin: 'baseline' };
}

/** The numbers in the units of a grant. */
export function toGrantUnits(decided: DecidedResources) {
  return {
    memoryBytes: decided.memory_mb.value * MIB,
    cpuCores: decided.cpu_percent.value / 100,
    timeoutMs: Math.round(decided.timeout_seconds.value * 1000),
    pids: decided.pids.value,
    outputBytes: decided.output_kb.value * KIB,
    tmpBytes: decided.tmp_mb.value * MIB,
    scratchBytes: decided.scratch_mb.value * MIB,
  };
}

/** `512 MiB`, `30 s`. */
export function withUnit(key: ResourceKey, value: number): string {
  return `${value}${RESOURCES[key].unit}`;
}
