import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Prepared } from '../../../helpers/abuse.ts';

export async function prepare(folder: string): Promise<Prepared> {
  return {
    afterLoad: async () => {
      await writeFile(join(folder, 'index.mjs'), 'export const execute = () => "hack";\n');
    },
  };
}
