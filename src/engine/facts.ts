import { LurkboxError } from '../errors.ts';
import type { Allowance } from '../spec/allowance.ts';
import type { EngineFacts } from './engine.ts';
import { assertRuntime } from './runtimes.ts';

interface Requirement {
  readonly name: string;
  readonly met: (facts: EngineFacts) => boolean;
  readonly why: string;
}

/** What an engine must be able to enforce; `doctor` prints the same list. */
export const REQUIREMENTS: readonly Requirement[] = [
  {
    name: 'Linux containers',
    met: ({ platform }) => platform.os === 'linux',
    why: 'the controls are those of Linux',
  },
  {
    name: 'amd64 or arm64',
    met: ({ platform }) => ['amd64', 'arm64'].includes(platform.architecture),
    why: 'the seccomp profile names the system calls of these two',
  },
  {
    name: 'seccomp',
    met: ({ seccomp }) => seccomp,
    why: 'without it a plugin can start processes and reach the whole kernel',
  },
  {
    name: 'memory limit',
    met: ({ limits }) => limits.memory,
    why: 'without it a plugin can take all memory of the host',
  },
  {
    name: 'swap limit',
    met: ({ limits }) => limits.swap,
    why: 'without it a memory limit only moves a plugin into swap',
  },
  { name: 'CPU quota', met: ({ limits }) => limits.cpu, why: 'without it a plugin can take every core' },
  { name: 'pids limit', met: ({ limits }) => limits.pids, why: 'without it a fork bomb reaches the host' },
];

/** Throws when the engine cannot enforce what every container of lurkbox relies on, or lacks the runtime. */
export function assertEnforceable(facts: EngineFacts, allowance: Allowance): void {
  const missing = REQUIREMENTS.filter(({ met }) => !met(facts));
  if (missing.length > 0) {
    throw new LurkboxError(
      'ENGINE_INSECURE',
      'The engine cannot enforce what every container of lurkbox relies on.',
      {
        problems: missing.map(({ name, why }) => ({ path: '', message: `${name} is missing: ${why}` })),
      },
    );
  }
  assertRuntime(facts, allowance);
}
