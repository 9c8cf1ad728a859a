import { rm, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import type { Prepared } from '../../../helpers/abuse.ts';

export async function prepare(folder: string): Promise<Prepared> {
  return {
    afterLoad: async () => {
      await rm(join(folder, 'index.mjs'));
      await symlink('/etc/passwd', join(folder, 'index.mjs'));
    },
  };
}
