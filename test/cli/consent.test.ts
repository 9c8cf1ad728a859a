import { afterEach, beforeEach, expect, test } from 'vitest';
import { createWorkspace, type Workspace } from '../helpers/workspace.ts';
import { NO_ENGINE, runCli, SOURCE } from './run-cli.ts';

let workspace: Workspace;

beforeEach(async () => {
  workspace = await createWorkspace();
  await workspace.addPlugin('one');
  await lurkbox('list');
  await workspace.addPlugin('one', { manifest: { version: '1.1.0', permissions: { filesystem: true } } });
});
afterEach(() => workspace[Symbol.asyncDispose]());

function lurkbox(...args: string[]) {
  return runCli([...args, '--workspace', workspace.root], { program: SOURCE, env: NO_ENGINE });
}

test('without a terminal no consent is given, and the whole digest is printed', {
  timeout: 30_000,
}, async () => {
  const shown = await lurkbox('consent', 'one');
  expect(shown.exitCode).toBe(1);
  expect(shown.stdout).toContain(`From: "${workspace.root}/plugins/one"`);
  const [, digest = ''] = /`lurkbox consent one@1\.1\.0 --yes ([0-9a-f]{64})`/.exec(shown.stdout) ?? [];
  expect(digest).toHaveLength(64);
  const refused = await lurkbox('consent', 'one', '--yes', digest.slice(0, 12));
  expect(refused).toMatchObject({ exitCode: 2, stderr: expect.stringContaining(digest) });
  expect(await lurkbox('consent', 'one', '--yes', digest)).toMatchObject({
    exitCode: 0,
    stdout: expect.stringContaining('one 1.1.0 is active'),
  });
});

test('a consent is withdrawn once, and a second withdrawal changes nothing', {
  timeout: 30_000,
}, async () => {
  const { digest } = JSON.parse((await lurkbox('consent', 'one', '--json')).stdout);
  await lurkbox('consent', 'one', '--yes', digest);
  const withdrawn = await lurkbox('consent', 'one', '--withdraw', '--json');
  expect(JSON.parse(withdrawn.stdout)).toMatchObject({ name: 'one', active: '1.0.0' });
  expect(JSON.parse(withdrawn.stdout).withdrawn).toContain(digest);
  const again = await lurkbox('consent', 'one', '--withdraw');
  expect(again).toMatchObject({ exitCode: 0, stdout: expect.stringContaining('Nothing was agreed to') });
  expect((await lurkbox('consent', 'one', '--withdraw', '--yes', digest)).exitCode).toBe(2);
});

test('a plugin that needs consent is shown as that, and not as denied', {
  timeout: 30_000,
}, async () => {
  await workspace.addPlugin('two', { manifest: { permissions: { filesystem: true } } });
  await lurkbox('list');
  await lurkbox('consent', 'two', '--withdraw');
  const { stdout } = await lurkbox('list');
  expect(stdout).toMatch(/^two .* needs consent/m);
  expect(stdout).not.toContain('denied');
});
