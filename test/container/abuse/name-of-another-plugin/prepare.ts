import { appendFile, cp } from 'node:fs/promises';
import { join } from 'node:path';
import type { Prepared } from '../../../helpers/abuse.ts';

export async function prepare(folder: string): Promise<Prepared> {
  return {
    afterLoad: async (lurkbox) => {
      await cp(folder, `${folder}-again`, { recursive: true });
      await appendFile(join(`${folder}-again`, 'index.mjs'), '// and more\n');
      await lurkbox.plugins.loadPlugin(`${folder}-again`);
    },
  };
}
