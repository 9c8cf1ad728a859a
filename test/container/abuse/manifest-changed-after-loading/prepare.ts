import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Prepared } from '../../../helpers/abuse.ts';

export async function prepare(folder: string): Promise<Prepared> {
  return {
    afterLoad: async () => {
      const file = join(folder, 'plugin.json');
      const manifest = JSON.parse(await readFile(file, 'utf8'));
      await writeFile(file, JSON.stringify({ ...manifest, permissions: { exec: true, network: 'host' } }));
    },
  };
}
