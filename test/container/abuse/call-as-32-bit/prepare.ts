import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { buildSyscallProbe, PROBE_ANSWERS } from '../../../../src/attack/syscall-probe.ts';
import type { Prepared } from '../../../helpers/abuse.ts';

/** One call that nobody would mind, by its number for 32-bit programs. */
export async function prepare(folder: string): Promise<Prepared> {
  const getpid = {
    name: 'getpid',
    number: 20,
    args: [],
    refusals: [],
    child: 'none',
    entry: 'int80',
  } as const;
  await writeFile(join(folder, 'probe.node'), buildSyscallProbe([getpid]));
  return { input: { answers: PROBE_ANSWERS } };
}
