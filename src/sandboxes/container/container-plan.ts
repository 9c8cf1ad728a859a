import type { Ending } from '../../calls/ending.ts';
import type { Surplus } from '../../calls/surplus.ts';
import type { ContainerEngine } from '../../engine/engine.ts';
import { keepsInodes } from '../../engine/shared-files.ts';
import { LABELS } from '../../labels.ts';
import type { Logger } from '../../logger.ts';
import type { Grant } from '../../policy/grant.ts';
import { MountFolders } from '../../policy/mount-folder.ts';
import type { RunnerMessage } from '../../protocol/runner-message.ts';
import { toAllowance } from '../../spec/allowance.ts';
import { buildContainerSpec } from '../../spec/build.ts';

export interface ContainerPlan {
  readonly engine: ContainerEngine;
  readonly grant: Grant;
  /** Image id. */
  readonly image: string;
  readonly entryPoint: string;
  readonly version: string;
  /** The id of its execution, or one of its own where it is started ahead. Names the container that is made for it. */
  readonly id: string;
  /** Who makes the container, as labels. */
  readonly ownerLabels: Readonly<Record<string, string>>;
  readonly logger: Logger;
  /** Told when something of it may be in the engine after `removed`, or may still come. */
  readonly onSuspicion: () => void;
}

export type StartPhase = 'createMs' | 'startMs' | 'bootMs';

/** Who uses a container at the time, and is told what comes out of it. */
export interface ContainerUser {
  /** Whether nobody waits for an answer of it: then it is over with its output. */
  readonly isIdle: boolean;
  /** Of the call that the plugin works for, aborted at its end; `null` while it works for none, and may ask for nothing. */
  readonly requestSignal: AbortSignal | null;
  /** A phase of the start is over; after `bootMs` it takes a request. */
  onPhase(phase: StartPhase): void;
  onMessage(message: Exclude<RunnerMessage, { kind: 'ready' }>): void;
  onLine(source: 'stdout' | 'stderr', text: string, cutBytes: number): void;
  /** One of more log lines than are kept one by one. */
  onSurplus(surplus: Surplus): void;
  /** All that was printed to stderr by the execution of that id has been heard. */
  onOutputEnd(id: number): void;
  /** Nothing more will come of it, and why. */
  onEnd(ending: Ending): void;
}

/** From before the engine is asked for anything; `undefined` where what is bound cannot be compared with them. */
export async function openMounts({
  engine,
  grant,
}: Pick<ContainerPlan, 'engine' | 'grant'>): Promise<MountFolders | undefined> {
  if (grant.mounts.length === 0) return undefined;
  const folders = await MountFolders.open(grant.mounts, grant.uids);
  if (await keepsInodes(engine, grant.runtime).catch(() => true)) return folders;
  folders[Symbol.dispose]();
  return undefined;
}

/** Answers the id of the container. */
export async function createContainer(plan: ContainerPlan, name: string): Promise<string> {
  const { engine, grant, image } = plan;
  if (grant.network === 'bridge') await engine.createNetwork(name, labelsOf(plan, 'network'));
  const made = { name, image, labels: labelsOf(plan, 'container') };
  const spec = buildContainerSpec({ grant, ...made });
  const { id } = await engine.createContainer(spec, { ...toAllowance(grant), ...made });
  return id;
}

function labelsOf(plan: ContainerPlan, kind: 'container' | 'network'): Record<string, string> {
  const { ownerLabels, grant, version, id } = plan;
  return {
    ...ownerLabels,
    [LABELS.kind]: kind,
    [LABELS.execution]: id,
    [LABELS.plugin]: grant.plugin,
    [LABELS.version]: version,
  };
}
