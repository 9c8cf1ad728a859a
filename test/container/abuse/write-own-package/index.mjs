import {
  appendFileSync,
  copyFileSync,
  mkdirSync,
  readdirSync,
  symlinkSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { tryAll } from './attempt.mjs';

export async function execute() {
  const folders = [
    '/',
    '/plugin',
    '/lurkbox',
    '/usr/local/bin',
    '/usr',
    '/etc',
    '/lib',
    '/bin',
    '/var',
    '/home',
    '/root',
    '/mnt',
    '/scratch',
    '/opt',
    '/run',
  ];
  const attempts = folders.flatMap((folder) => [
    [`write ${folder}`, () => writeFileSync(`${folder}/x`, 'x')],
    [`mkdir ${folder}`, () => mkdirSync(`${folder}/y`)],
    [`link ${folder}`, () => symlinkSync('/tmp', `${folder}/z`)],
  ]);
  const answers = await tryAll({
    ...Object.fromEntries(attempts),
    append: () => appendFileSync('/plugin/index.mjs', '// changed'),
    replace: () => copyFileSync('/plugin/plugin.json', '/plugin/index.mjs'),
    remove: () => unlinkSync('/plugin/index.mjs'),
    runner: () => appendFileSync('/lurkbox/runner.cjs', '// changed'),
    modules: () => mkdirSync('/plugin/node_modules'),
  });
  return { codes: [...new Set(Object.values(answers))].sort().join(), files: readdirSync('/plugin').sort() };
}
