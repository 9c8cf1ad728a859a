import { mkdir, rm, symlink, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { expect, test } from 'vitest';
import { connectEngine } from '../../src/engine/docker/connect.ts';
import { createLurkbox } from '../../src/index.ts';
import { startNpmRegistry } from '../helpers/npm-registry.ts';
import { createWorkspace } from '../helpers/workspace.ts';

test('a digest always runs the same packages, whatever is published later and however often the image is built', {
  timeout: 120_000,
}, async () => {
  const name = 'package-locks-test';
  await using workspace = await createWorkspace();
  await using registry = await startNpmRegistry();
  const publish = (version: string, text: string) =>
    registry.publish({ name: 'padder', version, files: { 'index.js': `module.exports = '${text}';` } });
  await publish('1.0.0', 'reviewed');
  const folder = await workspace.addPlugin(name, {
    manifest: { dependencies: ['padder@^1.0.0'] },
    code: `import text from 'padder'; export const execute = () => text;`,
  });
  const engine = await connectEngine();
  const call = async (digest: string | null) => {
    const policy = digest === null ? {} : { plugins: { [name]: { digest } } };
    const env = { ...process.env, ...registry.env };
    await using lurkbox = await createLurkbox({ workspaceRoot: workspace.root, policy, maxWarm: 0, env });
    const { plugin } = await lurkbox.plugins.loadPlugin(folder);
    const { tag } = await lurkbox.plugins.prepare(name);
    const { result, digest: ran } = await lurkbox.plugins.executePlugin(name, {}, { waitForRemoval: true });
    await engine.removeImage(tag);
    return { result, digest: ran, lock: JSON.parse(plugin.lock ?? '{}').packages };
  };

  const before = await call(null);
  expect(before.result).toBe('reviewed');
  await publish('1.0.1', 'seen by nobody');
  await rm(join(workspace.root, '.lurkbox/packages'), { recursive: true });
  expect(await call(before.digest)).toEqual(before);

  // The author's own lock file says the same, also where nothing is known of the plugin yet.
  const integrity = before.lock['node_modules/padder'].integrity;
  const locked = {
    version: '1.0.0',
    resolved: 'https://npm.example.org/padder/-/padder-1.0.0.tgz',
    integrity,
  };
  const lock = { lockfileVersion: 3, packages: { '': {}, 'node_modules/padder': locked } };
  await writeFile(join(folder, 'package-lock.json'), JSON.stringify(lock));
  expect((await call(null)).result).toBe('reviewed');
  await rm(join(folder, 'package-lock.json'));

  await publish('1.0.0', 'other bytes of the same version');
  await rm(join(workspace.root, '.lurkbox/packages'), { recursive: true });
  await expect(call(before.digest)).rejects.toMatchObject({ code: 'DEPENDENCY_FAILED' });
});

test('vendored packages run in the layout of their package manager, without a registry', {
  timeout: 120_000,
}, async () => {
  const name = 'vendored-test';
  await using workspace = await createWorkspace();
  const folder = await workspace.addPlugin(name, {
    manifest: { dependencies: 'vendored' },
    code: `import { readdirSync, readFileSync } from 'node:fs';
      import a from 'a';
      import own from 'own-lib';
      export const execute = () => ({ a, own, text: readFileSync('node_modules/own-lib/text', 'utf8'), bin: readdirSync('node_modules') });`,
  });
  const packages = join(folder, 'node_modules');
  const write = async (path: string, text: string) => {
    await mkdir(dirname(join(folder, path)), { recursive: true });
    await writeFile(join(folder, path), text);
  };
  const linkTo = async (path: string, target: string) => {
    await mkdir(dirname(join(packages, path)), { recursive: true });
    await symlink(target, join(packages, path));
  };
  const store = 'node_modules/.pnpm';
  // What a package needs lies beside the place that the link to it leads to, and nowhere above the link.
  await write(`${store}/a@1.0.0/node_modules/a/index.js`, `module.exports = 'a with ' + require('b').name;`);
  await write(
    `${store}/b@2.0.0/node_modules/b/index.js`,
    `exports.name = 'b'; exports.again = require('a');`,
  );
  await linkTo('a', '.pnpm/a@1.0.0/node_modules/a');
  await linkTo('.pnpm/a@1.0.0/node_modules/b', '../../b@2.0.0/node_modules/b');
  await linkTo('.pnpm/b@2.0.0/node_modules/a', '../../a@1.0.0/node_modules/a');
  await write('lib/index.js', `import a from 'a'; export default 'own ' + a;`);
  await write('lib/package.json', JSON.stringify({ name: 'own-lib', type: 'module' }));
  await linkTo('own-lib', '../lib');
  await write('shared.txt', 'text of the plugin');
  await linkTo('.pnpm/text', '../../shared.txt');
  await write('node_modules/.bin/a', '#!/bin/sh');
  await write('lib/text', 'text');
  // Nobody listens there.
  const env = { ...process.env, npm_config_registry: 'http://127.0.0.1:9/' };
  await using lurkbox = await createLurkbox({ workspaceRoot: workspace.root, maxWarm: 0, env });
  const { plugin } = await lurkbox.plugins.loadPlugin(folder);
  const { result, digest } = await lurkbox.plugins.executePlugin(name, {}, { waitForRemoval: true });
  expect(result).toEqual({
    a: 'a with b',
    own: 'own a with b',
    text: 'text',
    bin: ['.pnpm', 'a', 'own-lib'],
  });
  expect(digest).toBe(plugin.digest);

  // The copy in the workspace serves, whatever becomes of the folder.
  await rm(folder, { recursive: true });
  await (await connectEngine()).removeImage((await lurkbox.plugins.prepare(name)).tag);
  expect(await lurkbox.plugins.executePlugin(name, {}, { waitForRemoval: true })).toMatchObject({ result });
});
