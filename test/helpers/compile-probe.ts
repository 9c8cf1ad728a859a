import { execFile } from 'node:child_process';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);
const HEADERS = join(import.meta.dirname, 'probe');

/** Turns the `probe.c` of a case into `probe.node`: machine code that attacks the kernel while Node loads it. */
export async function compileProbe(folder: string): Promise<void> {
  const source = join(folder, 'probe.c');
  const options = ['-shared', '-fPIC', '-nostartfiles', '-O1', '-I', HEADERS];
  try {
    await run('cc', [...options, '-o', join(folder, 'probe.node'), source]);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    throw new Error('This case needs a C compiler, and there is no `cc`; install gcc or clang.', {
      cause: error,
    });
  }
  await rm(source);
}
