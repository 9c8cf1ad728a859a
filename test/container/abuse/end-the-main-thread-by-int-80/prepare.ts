import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { buildSyscallProbe } from '../../../../src/attack/syscall-probe.ts';

/** The filter knows no 32-bit calls, and the kernel ends the thread that makes one. */
export async function prepare(folder: string): Promise<void> {
  const getpid = {
    name: 'getpid',
    number: 20,
    args: [],
    refusals: [],
    child: 'none',
    entry: 'int80',
  } as const;
  await writeFile(join(folder, 'probe.node'), buildSyscallProbe([getpid]));
}
