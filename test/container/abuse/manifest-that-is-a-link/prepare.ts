import { rename, symlink } from 'node:fs/promises';
import { join } from 'node:path';

export async function prepare(folder: string): Promise<void> {
  await rename(join(folder, 'plugin.json'), join(folder, '../outside.json'));
  await symlink('../outside.json', join(folder, 'plugin.json'));
}
