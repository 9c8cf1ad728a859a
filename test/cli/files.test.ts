import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { createWorkspace, type Workspace } from '../helpers/workspace.ts';
import { NO_ENGINE, runCli, SOURCE } from './run-cli.ts';

let workspace: Workspace;
let digest: string;

beforeEach(async () => {
  workspace = await createWorkspace();
  await workspace.addPlugin('one', { files: { 'lib/a.mjs': '1', 'data.json': '{}' } });
  digest = JSON.parse((await lurkbox('files', 'one', '--json')).stdout).digest;
});
afterEach(() => workspace[Symbol.asyncDispose]());

function lurkbox(...args: string[]) {
  return runCli([...args, '--workspace', workspace.root], { program: SOURCE, env: NO_ENGINE });
}

function edit(path: string, content: string): void {
  writeFileSync(join(workspace.root, 'plugins/one', path), content);
}

function pin(pinned: string): void {
  const policy = JSON.stringify({ plugins: { one: { digest: pinned } } });
  writeFileSync(join(workspace.root, 'lurkbox.policy.json'), policy);
}

const SLOW = { timeout: 60_000 };

test('content that a pin refuses is reported with the files that differ', SLOW, async () => {
  pin(digest);
  edit('lib/a.mjs', '2');
  edit('new.mjs', '1');
  rmSync(join(workspace.root, 'plugins/one/data.json'));
  const { exitCode, stderr } = await lurkbox('explain', 'one');
  expect(exitCode).toBe(2);
  expect(stderr).toContain('changed `lib/a.mjs`, added `new.mjs`, removed `data.json`');
});

test('a pin that no content here has is refused with how to compare', SLOW, async () => {
  pin(`sha256:${'0'.repeat(64)}`);
  const { stderr } = await lurkbox('explain', 'one');
  expect(stderr).toContain('`lurkbox files one`');
  const listed = await lurkbox('files', 'one');
  expect(listed).toMatchObject({ exitCode: 0, stdout: expect.stringContaining(digest) });
  expect(listed.stdout).toMatch(/^[0-9a-f]{64} {2}lib\/a\.mjs$/m);
});

test('a pin from an earlier release is refused with the files that no longer count', SLOW, async () => {
  edit('.DS_Store', 'x');
  const { createHash } = await import('node:crypto');
  const sha256 = (text: string | Buffer) => createHash('sha256').update(text).digest('hex');
  const lines = ['.DS_Store', 'data.json', 'index.mjs', 'lib/a.mjs', 'plugin.json'].map((path) => {
    const content = readFileSync(join(workspace.root, 'plugins/one', path));
    return `${path}\0${content.length}\0${sha256(content)}\n`;
  });
  pin(`sha256:${sha256(`lurkbox plugin content, version 1\n${lines.join('')}`)}`);
  expect((await lurkbox('explain', 'one')).stderr).toContain('removed `.DS_Store`');
});

test('`files` compares two contents, or a folder with what is installed', SLOW, async () => {
  edit('lib/a.mjs', '2');
  const folder = join(workspace.root, 'plugins/one');
  const differing = await lurkbox('files', `one@1.0.0#${digest}`, folder);
  expect(differing).toMatchObject({ exitCode: 1, stdout: expect.stringMatching(/^changed `lib\/a\.mjs`$/m) });
  const { exitCode, stdout } = await lurkbox('files', 'one', folder, '--json');
  expect(exitCode).toBe(0);
  expect(JSON.parse(stdout).differences).toEqual({ added: [], removed: [], changed: [], packages: [] });
});

test('a consent to content that was saved again is refused with the changed files', SLOW, async () => {
  const asking = (code: string) =>
    workspace.addPlugin('one', { manifest: { version: '1.1.0', permissions: { filesystem: true } }, code });
  await asking('export const execute = () => 1;');
  const shown = JSON.parse((await lurkbox('consent', 'one', '--json')).stdout).digest;
  await asking('export const execute = () => 2;');
  const { exitCode, stderr } = await lurkbox('consent', 'one', '--yes', shown);
  expect(exitCode).toBe(2);
  expect(stderr).toContain('changed `index.mjs`');
});
