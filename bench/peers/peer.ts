import type { Phases } from '../../src/index.ts';
import type { Input } from '../plugin.ts';

/** The ways of executing a plugin, in the order of the report. */
export const PEERS = {
  process: 'Node process, no container',
  runc: 'runc run',
  'docker-run': 'docker run',
  dockerode: 'dockerode',
  testcontainers: 'testcontainers',
  'lurkbox-cold': 'lurkbox, cold',
  'lurkbox-warm': 'lurkbox, warm',
  'lurkbox-session': 'lurkbox, kept for a session',
  'lurkbox-plugin': 'lurkbox, kept for the plugin',
} as const;
export type PeerId = keyof typeof PEERS;

export interface Timing {
  readonly startedAt: number;
  /** From the start until the answer of the plugin was read. */
  readonly resultMs: number;
  /** From the start until the container was gone; `null` where it stays. */
  readonly goneMs: number | null;
  /** What the plugin took of it by its own clock. */
  readonly ownMs: number;
  /** Only lurkbox tells them. */
  readonly phases?: Phases;
}

/** One way of executing the plugin. */
export interface Peer {
  readonly id: PeerId;
  /** Brings about what a call of this kind needs to be there. Not measured. */
  before?(): Promise<void>;
  /** Executes the plugin once, and settles when what was made for it is gone. @throws when the answer is wrong */
  call(input: Input): Promise<Timing>;
  /** What a call leaves to be done, such as a container to be replaced. Its CPU time counts as that of the call. */
  after?(): Promise<void>;
}
