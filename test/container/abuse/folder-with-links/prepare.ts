import { link, symlink } from 'node:fs/promises';
import { join } from 'node:path';

export async function prepare(folder: string): Promise<void> {
  await symlink('/etc/shadow', join(folder, 'shadow.js'));
  await symlink('/', join(folder, 'root'));
  await symlink('loop', join(folder, 'loop'));
  await symlink('index.mjs', join(folder, 'harmless.mjs'));
  await symlink('/proc/self/environ', join(folder, 'environ.txt'));
  await link(join(folder, 'index.mjs'), join(folder, 'second.mjs'));
}
