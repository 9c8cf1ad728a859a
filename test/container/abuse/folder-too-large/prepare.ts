import { truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

export async function prepare(folder: string): Promise<void> {
  await writeFile(join(folder, 'huge.bin'), '');
  await truncate(join(folder, 'huge.bin'), 2 ** 40);
}
