import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Prepared } from '../../../helpers/abuse.ts';

/** Other code for the second call; after it the folder is what it was. */
export async function prepare(folder: string): Promise<Prepared> {
  const file = join(folder, 'index.mjs');
  const codes = ['export const execute = () => "changed";\n', await readFile(file, 'utf8')];
  return { check: () => writeFile(file, codes.shift() ?? '') };
}
