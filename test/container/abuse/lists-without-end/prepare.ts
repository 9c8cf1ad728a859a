import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

export async function prepare(folder: string): Promise<void> {
  const file = join(folder, 'plugin.json');
  const manifest = JSON.parse(await readFile(file, 'utf8'));
  const many = (letter: string) => Array.from({ length: 4_000 }, (_, index) => `${letter}${index}`);
  manifest.tags = many('t');
  manifest.dependencies = many('d').map((name) => `${name}@1.0.0`);
  manifest.permissions = {
    channels: many('c'),
    secrets: many('S'),
    network: { hosts: many('h').map((name) => `${name}:1`) },
  };
  await writeFile(file, JSON.stringify(manifest));
}
