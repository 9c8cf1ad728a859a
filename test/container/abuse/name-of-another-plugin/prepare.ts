import { cp } from 'node:fs/promises';
import type { Prepared } from '../../../helpers/abuse.ts';

export async function prepare(folder: string): Promise<Prepared> {
  return {
    afterLoad: async (lurkbox) => {
      await cp(folder, `${folder}-again`, { recursive: true });
      await lurkbox.plugins.loadPlugin(`${folder}-again`);
    },
  };
}
