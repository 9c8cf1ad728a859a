import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';

export async function prepare(folder: string): Promise<void> {
  await mkdir(join(folder, 'd/'.repeat(1_000)), { recursive: true });
}
