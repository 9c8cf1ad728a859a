import { existsSync } from 'node:fs';
import { mkdir, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Prepared } from '../../../helpers/abuse.ts';

export async function prepare(folder: string): Promise<Prepared> {
  const mark = join(folder, '../../pwned');
  const scripts = { preinstall: `touch ${mark}`, install: `touch ${mark}`, prepare: `touch ${mark}` };
  await mkdir(join(folder, 'node_modules/planted'), { recursive: true });
  await mkdir(join(folder, '.git/hooks'), { recursive: true });
  await writeFile(join(folder, 'node_modules/planted/index.js'), 'module.exports = 1;');
  await writeFile(
    join(folder, 'node_modules/planted/package.json'),
    JSON.stringify({ name: 'planted', scripts }),
  );
  await symlink('/etc', join(folder, 'node_modules/etc'));
  await writeFile(join(folder, '.git/hooks/post-checkout'), `touch ${mark}`);
  await writeFile(
    join(folder, 'package.json'),
    JSON.stringify({ name: 'x', scripts, dependencies: { planted: '*' } }),
  );
  await writeFile(join(folder, '.npmrc'), 'ignore-scripts=false\nregistry=http://127.0.0.1:9/\n');
  return {
    check: async () => {
      if (existsSync(mark)) throw new Error('a script of the plugin ran on the host');
    },
  };
}
