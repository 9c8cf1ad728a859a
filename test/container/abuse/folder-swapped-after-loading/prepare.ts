import { cp, rename, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Prepared } from '../../../helpers/abuse.ts';

export async function prepare(folder: string): Promise<Prepared> {
  return {
    afterLoad: async () => {
      await cp(folder, `${folder}-other`, { recursive: true });
      await writeFile(join(`${folder}-other`, 'index.mjs'), 'export const execute = () => "other";\n');
      await rename(folder, `${folder}-away`);
      await symlink(`${folder}-other`, folder);
    },
  };
}
