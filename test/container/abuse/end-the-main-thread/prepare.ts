import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { buildSyscallProbe } from '../../../../src/attack/syscall-probe.ts';

/** `exit` ends a thread; what libraries call ends the process. */
export async function prepare(folder: string): Promise<void> {
  const exit = {
    name: 'exit',
    number: 60,
    args: [0],
    refusals: [],
    child: 'none',
    entry: 'syscall',
  } as const;
  await writeFile(join(folder, 'probe.node'), buildSyscallProbe([exit]));
}
