import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { buildSyscallProbe, PROBE_ANSWERS } from '../../../../src/attack/syscall-probe.ts';
import type { Prepared } from '../../../helpers/abuse.ts';

/** One call that nobody would mind, by its number for x32. */
export async function prepare(folder: string): Promise<Prepared> {
  const getpid = {
    name: 'getpid',
    number: 0x4000_0000 | 39,
    args: [],
    refusals: [],
    child: 'none',
    entry: 'syscall',
  } as const;
  await writeFile(join(folder, 'probe.node'), buildSyscallProbe([getpid]));
  return { input: { answers: PROBE_ANSWERS } };
}
