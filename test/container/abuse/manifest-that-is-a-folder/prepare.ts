import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';

export async function prepare(folder: string): Promise<void> {
  await rm(join(folder, 'plugin.json'));
  await mkdir(join(folder, 'plugin.json'));
}
