import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

const NAMES = [
  'a\nb.js',
  'a\x1b[2J.js',
  '\u202esj.x',
  'a\\..\\..\\x.js',
  '.wh.index.mjs',
  '.wh..wh..opq',
  'a\u200bb.js',
];

export async function prepare(folder: string): Promise<void> {
  for (const name of NAMES) await writeFile(join(folder, name), '');
  await writeFile(Buffer.concat([Buffer.from(`${folder}/`), Buffer.from([0xff, 0x2e, 0x6a, 0x73])]), '');
  await mkdir(join(folder, 'lib'));
  await writeFile(join(folder, 'lib/.wh.runner.cjs'), '');
}
