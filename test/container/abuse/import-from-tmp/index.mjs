import { copyFileSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tryAll } from './attempt.mjs';

export function execute({ inputData: { lures } }) {
  const require = createRequire('/tmp/');
  const folder = readdirSync('/lib').find((name) => name.endsWith('-linux-gnu'));
  writeFileSync('/tmp/x.mjs', 'export const answer = "42";');
  writeFileSync('/tmp/y.cjs', 'module.exports = "43";');
  writeFileSync('/tmp/z.ts', 'export const answer: string = "44";');
  mkdirSync('/tmp/node_modules/x', { recursive: true });
  writeFileSync('/tmp/node_modules/x/index.js', 'module.exports = "45";');
  copyFileSync(`/lib/${folder}/libm.so.6`, '/tmp/native.node');
  return tryAll({
    module: async () => (await import('/tmp/x.mjs')).answer,
    commonJs: () => require('/tmp/y.cjs'),
    typeScript: async () => (await import('/tmp/z.ts')).answer,
    package: () => require('x'),
    data: async () => (await import('data:text/javascript,export default "46"')).default,
    native: () => import('/tmp/native.node'),
    nativeRequired: () => require('/tmp/native.node'),
    overHttp: () => import(`http://${lures.addresses[0]}:${lures.port}/x.mjs`),
    overHttps: () => import(`https://${lures.addresses[0]}:${lures.port}/x.mjs`),
    ofTheHost: () => import(lures.canaryFile),
    json: () => require('/etc/shadow'),
  });
}
