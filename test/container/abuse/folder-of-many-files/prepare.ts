import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

export async function prepare(folder: string): Promise<void> {
  mkdirSync(join(folder, 'many'));
  for (let count = 0; count < 3_000; count++) writeFileSync(join(folder, `many/${count}`), '');
}
