import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { type NpmRegistry, startNpmRegistry } from '../helpers/npm-registry.ts';
import { createWorkspace, type Workspace } from '../helpers/workspace.ts';
import { NO_ENGINE, runCli, SOURCE } from './run-cli.ts';

let workspace: Workspace;
let registry: NpmRegistry;

beforeEach(async () => {
  workspace = await createWorkspace();
  registry = await startNpmRegistry({ name: 'padder' });
  await workspace.addPlugin('needy', { manifest: { dependencies: ['padder@^1.0.0'] } });
});
afterEach(async () => {
  await workspace[Symbol.asyncDispose]();
  await registry[Symbol.asyncDispose]();
});

function lurkbox(...args: string[]) {
  const env = { ...process.env, ...NO_ENGINE, ...registry.env };
  return runCli([...args, '--workspace', workspace.root], { program: SOURCE, env });
}

async function json(...args: string[]) {
  const { stdout, exitCode, stderr } = await lurkbox(...args, '--json');
  expect([exitCode, stderr]).toEqual([0, expect.any(String)]);
  return JSON.parse(stdout);
}

const SLOW = { timeout: 120_000 };

test('`lock` shows the lock of each plugin, whoever wrote it, without asking npm', SLOW, async () => {
  await workspace.addPlugin('plain', {});
  await workspace.addPlugin('brought', {
    manifest: { dependencies: 'vendored' },
    files: { 'node_modules/a/index.js': '' },
  });
  const integrity = `sha512-${'A'.repeat(86)}==`;
  const lock = {
    lockfileVersion: 3,
    packages: { '': {}, 'node_modules/padder': { version: '1.0.0', integrity } },
  };
  await workspace.addPlugin('own', {
    manifest: { dependencies: ['padder@^1.0.0'] },
    files: { 'package-lock.json': JSON.stringify(lock) },
  });
  const { plugins } = await json('lock');
  expect(plugins.map(({ name, lock }: { name: string; lock: string }) => [name, lock])).toEqual([
    ['brought', 'vendored'],
    ['needy', 'not locked yet'],
    ['own', 'own'],
    ['plain', 'none'],
  ]);
  expect((await lurkbox('lock')).stdout).toMatch(/needy +1\.0\.0 +not locked yet/);
  const { stdout } = await lurkbox('lock', 'own');
  expect(stdout).toContain('1 npm package locked by its own package-lock.json');
  expect(stdout).toMatch(/padder +1\.0\.0 +sha512-A{12}…/);
  expect((await lurkbox('list')).stdout).not.toContain('own: packages not locked yet');
  expect((await lurkbox('explain', 'own')).stdout).toContain('locked by its own package-lock.json');
  expect((await lurkbox('explain', 'brought')).stdout).toContain('npm packages vendored');
  expect(await json('lock', 'own')).toMatchObject({
    lock: 'own',
    packages: [{ name: 'padder', version: '1.0.0', integrity, place: 'node_modules/padder' }],
  });
  const folder = join(workspace.root, 'plugins/own');
  expect(await json('lock', folder)).toMatchObject({ name: 'own', lock: 'own' });
  expect((await lurkbox('lock', '--refresh', folder)).exitCode).toBe(2);
  for (const name of ['own', 'brought', 'plain']) {
    const { exitCode, stderr } = await lurkbox('lock', '--refresh', name);
    expect([exitCode, stderr]).toEqual([2, expect.stringContaining('There is no lock to refresh')]);
  }
  expect(registry.requests).toEqual([]);
});

test('a refreshed lock has newer packages, shows the changes, and can be rolled back', SLOW, async () => {
  const first = await json('lock', '--refresh', 'needy');
  expect(first).toMatchObject({ lock: 'written', changed: true, active: true, changes: [] });
  expect(await json('lock', '--refresh', 'needy')).toMatchObject({ changed: false, digest: first.digest });
  await registry.publish({ name: 'helper' });
  await registry.publish({ name: 'padder', version: '1.1.0', manifest: { dependencies: { helper: '1' } } });
  await registry.publish({ name: 'padder', version: '2.0.0' });

  const { stdout, exitCode } = await lurkbox('lock', 'needy', '--refresh');
  expect(exitCode).toBe(0);
  expect(stdout).toContain('+ helper 1.0.0');
  expect(stdout).toContain('padder 1.0.0 → 1.1.0');
  expect(stdout).toContain(first.digest);
  expect(stdout).toContain('`lurkbox rollback needy` takes the former packages back');
  const second = await json('lock', 'needy');
  expect(second.packages.map(({ version }: { version: string }) => version)).toEqual(['1.0.0', '1.1.0']);
  expect(second.digest).not.toBe(first.digest);
  expect((await json('list')).plugins[0]).toMatchObject({ digest: second.digest, enabled: true });

  await lurkbox('rollback', 'needy');
  expect((await json('lock', 'needy')).digest).toBe(first.digest);
});

test('a pinned lock is not replaced, and the refusal names what would change', SLOW, async () => {
  const { digest } = await json('lock', '--refresh', 'needy');
  const policy = JSON.stringify({ plugins: { needy: { digest } } });
  writeFileSync(join(workspace.root, 'lurkbox.policy.json'), policy);
  await registry.publish({ name: 'padder', version: '1.1.0' });
  const { exitCode, stderr } = await lurkbox('lock', '--refresh', 'needy');
  expect(exitCode).toBe(2);
  expect(stderr).toContain('the policy pins the content');
  expect(stderr).toContain('npm package `padder` 1.0.0 → 1.1.0');
  expect((await json('lock', 'needy')).digest).toBe(digest);
});

test('`lock` without a plugin or for something else is bad usage', SLOW, async () => {
  expect((await lurkbox('lock', 'nobody')).exitCode).toBe(2);
  const { exitCode, stderr } = await lurkbox('lock', '--refresh');
  expect([exitCode, stderr]).toEqual([2, expect.stringContaining('lurkbox lock --refresh weather')]);
  await registry[Symbol.asyncDispose]();
  expect((await lurkbox('lock', '--refresh', 'needy')).exitCode).toBe(2);
});
