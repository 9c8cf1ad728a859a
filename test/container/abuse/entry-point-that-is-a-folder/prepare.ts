import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';

export async function prepare(folder: string): Promise<void> {
  await rm(join(folder, 'index.mjs'));
  await mkdir(join(folder, 'index.mjs'));
}
