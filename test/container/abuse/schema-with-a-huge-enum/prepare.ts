import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

export async function prepare(folder: string): Promise<void> {
  const file = join(folder, 'plugin.json');
  const manifest = JSON.parse(await readFile(file, 'utf8'));
  manifest.input_schema = { enum: Array.from({ length: 8_000 }, (_, index) => `value-${index}`) };
  await writeFile(file, JSON.stringify(manifest));
}
