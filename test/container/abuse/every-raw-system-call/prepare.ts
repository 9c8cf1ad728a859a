import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { buildSyscallProbe, PROBE_ANSWERS } from '../../../../src/attack/syscall-probe.ts';
import { SYSCALLS } from '../../../../src/attack/syscalls.ts';
import type { Prepared } from '../../../helpers/abuse.ts';

export async function prepare(folder: string): Promise<Prepared> {
  await writeFile(join(folder, 'probe.node'), buildSyscallProbe());
  const calls = SYSCALLS.map(({ name, refusals }) => ({ name, refusals }));
  return { input: { answers: PROBE_ANSWERS, calls: JSON.stringify(calls) } };
}
