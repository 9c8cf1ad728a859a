import { link, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

/** In the workspace, where a folder has the same disk and the same owner. */
export async function prepare(folder: string): Promise<void> {
  await writeFile(join(folder, '../../secret'), 'not meant for a plugin');
  await link(join(folder, '../../secret'), join(folder, 'secret.txt'));
}
