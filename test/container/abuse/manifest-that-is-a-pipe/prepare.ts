import { execFileSync } from 'node:child_process';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';

export async function prepare(folder: string): Promise<void> {
  await rm(join(folder, 'plugin.json'));
  execFileSync('mkfifo', [join(folder, 'plugin.json')]);
}
