import type { AttackGroup } from '../attack.ts';
import { AFTERMATH } from './aftermath.ts';
import { CONTROLS } from './controls.ts';
import { DEADLINES } from './deadlines.ts';
import { ISOLATION } from './isolation.ts';
import { KERNEL } from './kernel.ts';
import { KERNEL_MEMORY } from './kernel-memory.ts';
import { LIMITS } from './limits.ts';
import { NETWORK } from './network.ts';
import { OUTPUT } from './output.ts';
import { POSTURE } from './posture.ts';
import { PROGRAMS } from './programs.ts';
import { PROTOCOL } from './protocol.ts';
import { TABLES } from './tables.ts';

/** Everything that `lurkbox doctor --attack` tries, in the order in which it is told. */
export const ATTACKS: readonly AttackGroup[] = [
  POSTURE,
  PROGRAMS,
  KERNEL,
  NETWORK,
  LIMITS,
  KERNEL_MEMORY,
  DEADLINES,
  OUTPUT,
  PROTOCOL,
  ISOLATION,
  TABLES,
  CONTROLS,
  AFTERMATH,
];
