import { mkdir, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createWorkspace, type Workspace } from '../helpers/workspace.ts';
import { NO_ENGINE, runCli, SOURCE } from './run-cli.ts';

let workspace: Workspace;

beforeAll(async () => {
  workspace = await createWorkspace();
  await workspace.addPlugin('fine');
  await workspace.addPlugin('wrong', {
    manifest: { version: 'new', plugin_type: 'toy', resources: { memory_mb: 'much' }, colour: 'red' },
  });
  await workspace.addPlugin('twice', { files: { 'plugin.json': '{ "name": "twice", "name": "thrice" }' } });
  await workspace.addPlugin('greedy', { manifest: { permissions: { exec: true, network: true } } });
  await workspace.addPlugin('huge', { manifest: { resources: { memory_mb: 1_000_000 } } });
  await mkdir(join(workspace.root, 'plugins/bare'));
  await mkdir(join(workspace.root, 'plugins/vacant'));
  await writeFile(
    join(workspace.root, 'plugins/vacant/plugin.json'),
    JSON.stringify({
      name: 'vacant',
      version: '1.0.0',
      author: { name: 'Test' },
      description: 'Has no code',
      plugin_type: 'tool',
      entry_point: 'index.mjs',
    }),
  );
});

afterAll(() => workspace[Symbol.asyncDispose]());

const run = (args: readonly string[], stdin = '') =>
  runCli(['run', '--workspace', workspace.root, ...args], { program: SOURCE, env: NO_ENGINE, stdin });

async function writeInto(file: string, content: string): Promise<string> {
  const path = join(workspace.root, file);
  await writeFile(path, content);
  return path;
}

/** Nothing was made, and whoever reads stdout got nothing to read. */
async function expectRefusal(
  args: readonly string[],
  words: readonly string[],
  stdin?: string,
): Promise<void> {
  const { exitCode, stdout, stderr } = await run(args, stdin);
  expect({ exitCode, stdout }).toEqual({ exitCode: 2, stdout: '' });
  for (const word of words) expect(stderr).toContain(word);
  expect(await readdir(join(workspace.root, '.lurkbox/tmp')).catch(() => [])).toEqual([]);
}

describe('run refuses before it looks for an engine, and exits with 2', () => {
  test.each([
    [
      'a manifest, with every problem at once',
      ['wrong'],
      ['version', 'plugin_type', 'resources.memory_mb', 'colour'],
    ],
    ['a manifest with a duplicate key', ['twice'], ['`name`: the key stands here twice']],
    [
      'permissions that the policy denies, each of them',
      ['greedy'],
      ['permissions.exec', 'permissions.network'],
    ],
    [
      'a request above the ceiling, with both numbers',
      ['huge'],
      ['resources.memory_mb', '1000000 MiB', '1024 MiB'],
    ],
    ['an entry point that is not there', ['vacant'], ['`entry_point`', 'index.mjs']],
    ['a plugin that is not there, with those that are', ['fnie'], ['"fnie"', 'fine', 'Did you mean `fine`?']],
    ['a folder without a manifest', ['bare'], ['bare" is no plugin: it has no plugin.json']],
    ['a folder that is not there', ['./nowhere'], ['nowhere']],
    [
      'several plugins, with the problems of all',
      ['wrong', 'greedy', 'fnie'],
      ['plugin_type', 'permissions.exec', 'fnie'],
    ],
  ])('%s', (_, args, words) => expectRefusal(args, words));

  test('a name that is a folder here, with how to mean the folder', async () => {
    const { exitCode, stderr } = await runCli(['run', 'fine'], {
      program: SOURCE,
      env: NO_ENGINE,
      cwd: join(workspace.root, 'plugins'),
    });
    expect(exitCode).toBe(2);
    expect(stderr).toContain('`./fine`');
  });

  test.each([
    ['no JSON', 'inputData: 1', ['not valid JSON']],
    ['a duplicate key', '{ "inputData": 1, "inputData": 2 }', ['`inputData`: the key stands here twice']],
    ['a list', '[]', ['JSON object']],
  ])('a context file with %s', async (_, content, words) => {
    const file = await writeInto('context.json', content);
    await expectRefusal(['fine', '--context', file], ['context.json', ...words]);
  });

  test('a missing context file', () =>
    expectRefusal(['fine', '--context', join(workspace.root, 'none.json')], ['none.json', 'ENOENT']));

  test('a context on stdin that is not JSON', () =>
    expectRefusal(['fine', '--context', '-'], ['stdin', 'not valid JSON'], '{ "inputData" }'));

  test('an input that is not JSON', () =>
    expectRefusal(['fine', '--input', '{a:1}'], ['--input', 'not valid JSON']));

  test('an integer that would lose digits, with its path', async () => {
    const words = ['`ids[1]`', 'send it as text: "1234567890123456789"'];
    await expectRefusal(['fine', '--input', '{"ids":[1,1234567890123456789]}'], ['--input', ...words]);
    const context = '{"inputData":{"ids":[1,1234567890123456789]}}';
    await expectRefusal(['fine', '--context', '-'], ['stdin', '`inputData.ids[1]`'], context);
  });

  test('a context with an unknown key, by its name', async () => {
    const file = await writeInto('context.json', '{ "inputs": {} }');
    await expectRefusal(['fine', '--context', file], ['inputs', 'inputData']);
  });

  test.each([
    ['that is no JSON', '{', ['not valid JSON']],
    [
      'with every problem at once',
      '{ "allow": { "exek": 1 }, "ceilings": { "pids": "few" } }',
      ['exek', 'ceilings.pids'],
    ],
    ['with a duplicate key', '{ "allow": {}, "allow": {} }', ['`allow`: the key stands here twice']],
  ])('a policy file %s', async (_, content, words) => {
    const file = await writeInto('policy.json', content);
    await expectRefusal(['fine', '--policy', file], ['policy.json', ...words]);
  });

  test('a missing policy file', () =>
    expectRefusal(['fine', '--policy', join(workspace.root, 'none.json')], ['none.json']));

  test('a broken policy file of the workspace, in every command', async () => {
    await using other = await createWorkspace();
    await writeFile(join(other.root, 'lurkbox.policy.json'), '{ "alow": {} }');
    for (const command of [
      ['list'],
      ['doctor'],
      ['prune'],
      ['image', 'list'],
      ['run', 'x'],
      ['explain', 'x'],
    ]) {
      const { exitCode, stderr } = await runCli(command, {
        program: SOURCE,
        env: NO_ENGINE,
        cwd: other.root,
      });
      expect({ command, exitCode }).toEqual({ command, exitCode: 2 });
      expect(stderr).toContain('did you mean `allow`?');
    }
  });

  test('a timeout above the grant of the plugin, with both numbers', () =>
    expectRefusal(['fine', '--timeout', '60'], ['10 s', '60 s']));
});

test('unload of a missing version names the installed ones', async () => {
  await using other = await createWorkspace();
  await other.addPlugin('fine');
  const args = ['unload', 'fine@3', '--workspace', other.root];
  const { exitCode, stdout, stderr } = await runCli(args, { program: SOURCE, env: NO_ENGINE });
  expect({ exitCode, stdout }).toEqual({ exitCode: 2, stdout: '' });
  expect(stderr).toContain('No version "fine@3" is installed; installed are: 1.0.0.');
});

test('load of a folder that is not a plugin leaves nothing in it', async () => {
  await using other = await createWorkspace();
  const options = { program: SOURCE, env: NO_ENGINE, cwd: other.root };
  const before = await readdir(other.root);
  expect(await runCli(['load', 'nope'], options)).toMatchObject({ exitCode: 2 });
  expect(await readdir(other.root)).toEqual(before);
});

test('run exits with 3 when only the engine is missing', async () => {
  const { exitCode, stdout, stderr } = await run(['fine', '--json', '--input', '{}']);
  expect({ exitCode, stdout }).toEqual({ exitCode: 3, stdout: '' });
  expect(stderr).toContain('No container engine answers');
});
