import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createWorkspace, type Workspace } from '../helpers/workspace.ts';
import { NO_ENGINE, runCli, SOURCE, STEERING } from './run-cli.ts';

const ESCAPING = '\u001b[31mred\u001b[0m';

let workspace: Workspace;

beforeAll(async () => {
  workspace = await createWorkspace();
  await workspace.addPlugin('modest', { manifest: { description: 'Asks for nothing', tags: ['small'] } });
  await workspace.addPlugin('idle', { manifest: { enabled: false, permissions: { filesystem: true } } });
  await workspace.addPlugin('greedy', { manifest: { permissions: { exec: true } } });
  await workspace.addPlugin('twice', { files: { 'plugin.json': '{ "name": "twice", "name": "thrice" }' } });
  await mkdir(join(workspace.root, 'plugins', ESCAPING));
  await writeFile(join(workspace.root, 'plugins', ESCAPING, 'plugin.json'), '{}');
});

afterAll(() => workspace[Symbol.asyncDispose]());

const list = (...args: string[]) =>
  runCli(['list', '--workspace', workspace.root, ...args], { program: SOURCE, env: NO_ENGINE });

test('`load`, `list` and `explain` report once which parts of a schema are not checked', async () => {
  await using other = await createWorkspace();
  const input_schema = {
    type: 'object',
    properties: { a: { type: 'string', format: 'phone', example: '1' } },
  };
  const folder = await other.addPlugin('annotated', { manifest: { input_schema } });
  const cli = (...args: string[]) =>
    runCli([...args, '--workspace', other.root], { program: SOURCE, env: NO_ENGINE });
  const told =
    'Not checked, because these keywords and formats of JSON Schema are not known: ' +
    '`input_schema.properties.a.format` ("phone"), `input_schema.properties.a.example` (did you mean `examples`?).';
  for (const command of [['load', folder], ['list'], ['explain', 'annotated']]) {
    const { stdout } = await cli(...command);
    expect(stdout.split(`warning: ${told}`)).toHaveLength(2);
  }
  expect(JSON.parse((await cli('list', '--json')).stdout)).toMatchObject({ plugins: [{ warnings: [told] }] });
});

describe('list', () => {
  test('shows plugins and the problems of broken ones, without an engine and without colour', async () => {
    const { exitCode, stdout, stderr } = await list();
    expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: '' });
    expect(stdout).toMatch(/^modest +1\.0\.0 +tool +8 of 8 +nothing +yes$/m);
    expect(stdout).toMatch(/^idle +1\.0\.0 +tool +\d of 8 +scratch +no$/m);
    expect(stdout).toContain('permissions.exec');
    expect(stdout).toContain('the key stands here twice');
    expect(stdout).not.toMatch(/^(greedy|twice) /m);
    // The name of the folder is a stranger's.
    expect(stdout).toContain('\\u001b[31mred');
    expect(stdout).not.toMatch(STEERING);
  });

  test('has colour if the environment asks for it', async () => {
    const { stdout } = await runCli(['list', '--workspace', workspace.root], {
      program: SOURCE,
      env: { ...NO_ENGINE, FORCE_COLOR: '1' },
    });
    expect(stdout).toContain('\u001b[');
    expect(stdout).not.toContain(ESCAPING);
  });

  test('--json prints plugins and broken folders, and nothing else', async () => {
    const { exitCode, stdout, stderr } = await list('--json');
    expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: '' });
    expect(stdout).not.toMatch(STEERING);
    const { plugins, broken, ...rest } = JSON.parse(stdout);
    expect(rest).toEqual({});
    expect(plugins.map(({ name }: { name: string }) => name)).toEqual(['idle', 'modest']);
    expect(plugins[1]).toMatchObject({
      name: 'modest',
      version: '1.0.0',
      enabled: true,
      type: 'tool',
      description: 'Asks for nothing',
      tags: ['small'],
      rating: 8,
      digest: expect.stringMatching(/^sha256:[0-9a-f]{64}$/),
      folder: join(workspace.root, 'plugins/modest'),
      grant: { network: 'none', exec: false, memoryBytes: 96 * 1024 * 1024, timeoutMs: 10_000 },
    });
    expect(broken.map(({ code }: { code: string }) => code).sort()).toEqual([
      'MANIFEST_INVALID',
      'MANIFEST_INVALID',
      'POLICY_DENIED',
    ]);
  });

  test('reads the policy of the workspace, or another one', async () => {
    const policy = join(workspace.root, 'generous.json');
    await writeFile(policy, '{ "allow": { "exec": true } }');
    const { stdout } = await list('--policy', policy);
    expect(stdout).toMatch(/^greedy +1\.0\.0 .* exec +yes$/m);
  });

  test('says what a plugin is when there is none', async () => {
    await using empty = await createWorkspace();
    const options = { program: SOURCE, env: NO_ENGINE, cwd: empty.root };
    const { exitCode, stdout } = await runCli(['list'], options);
    expect({ exitCode, stdout }).toEqual({
      exitCode: 0,
      stdout: `No plugins in ${empty.root}/plugins. A plugin is a folder there with a plugin.json; \`lurkbox load <folder>\` installs one from elsewhere.\n`,
    });
    expect(await runCli(['list', '--json'], options)).toMatchObject({
      stdout: '{"plugins":[],"broken":[]}\n',
    });
  });
});

describe('explain', () => {
  const explain = (...args: string[]) =>
    runCli(['explain', ...args, '--workspace', workspace.root], { program: SOURCE, env: NO_ENGINE });

  test('names each restriction with its reason and who decided it, without an engine', async () => {
    const { exitCode, stdout, stderr } = await explain('modest');
    expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: '' });
    expect(stdout).toMatch(
      /^modest 1\.0\.0 {2}sha256:[0-9a-f]{64}\nFrom: "[^"]*"\nAsks for nothing\n\nSecurity rating 8 of 8\n/,
    );
    expect(stdout).toMatch(/^capabilities: none \(baseline\)\n {4}\S/m);
    expect(stdout).toMatch(/^memory: 96 MiB.* \(manifest\)\n {4}\S/m);
    expect(stdout).not.toMatch(STEERING);
  });

  test('takes a folder as well as a name', async () => {
    const byName = await explain('idle');
    const byFolder = await explain(join(workspace.root, 'plugins/idle'));
    expect(byFolder.stdout).toBe(byName.stdout);
  });

  test('--json needs an engine, whose options it shows', async () => {
    expect(await explain('modest', '--json')).toMatchObject({ exitCode: 3, stdout: '' });
  });

  test('names plugins whose npm packages are not locked yet, without asking npm', async () => {
    await using other = await createWorkspace();
    await other.addPlugin('needy', { manifest: { dependencies: ['zod@4'] } });
    // Nobody listens there.
    const env = { ...NO_ENGINE, npm_config_registry: 'http://127.0.0.1:9/' };
    const run = (...args: string[]) => runCli([...args, '--workspace', other.root], { program: SOURCE, env });
    expect((await run('list')).stdout).toContain('needy: packages not locked yet');
    expect(JSON.parse((await run('list', '--json')).stdout).plugins[0].lock).toEqual({
      locked: false,
      packages: null,
      source: null,
    });
    expect((await run('explain', 'needy')).stdout).toContain('packages not locked yet');
    expect((await run('explain', join(other.root, 'plugins/needy'))).stdout).toContain(
      'packages not locked yet',
    );
    expect((await run('info', 'needy')).stdout).toContain('Packages: packages not locked yet');
  });
});
