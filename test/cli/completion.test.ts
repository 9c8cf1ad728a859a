import { execFile, spawnSync } from 'node:child_process';
import { chmod, mkdir, mkdtemp, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { COMMANDS } from '../../src/cli/command-table.ts';
import { completionOf } from '../../src/cli/complete.ts';
import { createWorkspace, type Workspace } from '../helpers/workspace.ts';
import { NO_ENGINE, runCli, SOURCE } from './run-cli.ts';

let workspace: Workspace;
let bin: string;

beforeAll(async () => {
  workspace = await createWorkspace();
  await workspace.addPlugin('weather');
  await workspace.addPlugin('weather-map');
  // A name that a shell would carry out is no name of a plugin.
  await mkdir(join(workspace.root, 'plugins/$(touch ran)'), { recursive: true });
  await writeFile(join(workspace.root, 'plugins/$(touch ran)/plugin.json'), '{}');
  await mkdir(join(workspace.root, 'plugins/no-plugin'));
  bin = await mkdtemp(join(tmpdir(), 'lurkbox-bin-'));
  await writeFile(join(bin, 'lurkbox'), `#!/bin/sh\nexec '${process.execPath}' '${SOURCE}' "$@"\n`);
  await chmod(join(bin, 'lurkbox'), 0o755);
});

afterAll(async () => {
  await workspace[Symbol.asyncDispose]();
  await rm(bin, { recursive: true, force: true });
});

async function wordsFor(...line: string[]): Promise<string[]> {
  return (await completionOf(line)).words.map(({ word }) => word);
}

test('completion does not read a registry that takes long to copy', async () => {
  await using other = await createWorkspace();
  const folder = await other.addPlugin('elsewhere');
  const loaded = await runCli(['load', folder, '--workspace', other.root], {
    program: SOURCE,
    env: NO_ENGINE,
  });
  expect(loaded.exitCode).toBe(0);
  await rm(folder, { recursive: true });
  const words = () => wordsFor('run', '--workspace', other.root, 'else');
  expect(await words()).toEqual(['elsewhere']);
  await truncate(join(other.root, '.lurkbox/registry.backup.db'), 65 * 1024 * 1024);
  expect(await words()).toEqual([]);
});

describe('the completion of the last word', () => {
  test('is every command, with what it does', async () => {
    const { words, files } = await completionOf(['']);
    expect(words).toEqual(COMMANDS.map(({ name: word, about }) => ({ word, about })));
    expect(files).toBeNull();
  });

  test.each<[string[], string[]]>([
    [['wo'], ['workflow']],
    [
      ['image', ''],
      ['list', 'build', 'prune'],
    ],
    [['--json', 'image', 'b'], ['build']],
    [['list', '--log', 'd'], ['debug']],
    [['list', '--log=d'], ['--log=debug']],
    [['list', '--log', '=', 'd'], ['debug']],
    [
      ['list', '--color', ''],
      ['auto', 'always', 'never'],
    ],
    [
      ['use', '--c'],
      ['--canary', '--canary-calls', '--color'],
    ],
    [['use', '--tri'], []],
    [
      ['events', '--type', 'LOAD', '--type', 'E'],
      ['ENABLE', 'EXECUTE', 'ERROR'],
    ],
    [
      ['completion', ''],
      ['bash', 'zsh', 'fish'],
    ],
    [['run', '--timeout', ''], []],
    [['enable', 'one', ''], []],
  ])('of %j is %j', async (line, words) => {
    expect(await wordsFor(...line)).toEqual(words);
  });

  test.each([
    [['load', ''], 'folder'],
    [['run', './we'], 'folder'],
    [['--workspace', ''], 'folder'],
    [['workflow', 'run', ''], 'file'],
    [['run', 'weather', '--context', ''], 'file'],
  ])('of %j is a %s', async (line, files) => {
    expect(await completionOf(line)).toEqual({ words: [], files });
  });

  test('is a plugin of the workspace, even of one that is named earlier or elsewhere', async () => {
    const { root } = workspace;
    expect(await wordsFor('--workspace', root, 'run', '')).toEqual(['weather', 'weather-map']);
    expect(await wordsFor('run', '--workspace', root, 'weather', 'weather-')).toEqual(['weather-map']);
    expect(await wordsFor('info', '--workspace', '/nowhere', '')).toEqual([]);
  });
});

describe('the completion script', () => {
  const environment = () => ({
    ...process.env,
    PATH: `${bin}${delimiter}${process.env['PATH']}`,
  });

  /** What bash offers for a line, as its own completion would. */
  async function inBash(...words: string[]): Promise<string[]> {
    const program = `
      source <(lurkbox completion bash)
      COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1))
      _lurkbox 2>/dev/null
      printf '%s\\n' "\${COMPREPLY[@]}"`;
    const { stdout } = await promisify(execFile)('bash', ['-c', program, 'bash', 'lurkbox', ...words], {
      cwd: workspace.root,
      env: environment(),
    });
    return stdout.split('\n').filter(Boolean);
  }

  test('makes bash complete commands, options, values and plugins without running them', async () => {
    expect(await inBash('wo')).toEqual(['workflow']);
    expect(await inBash('list', '--log', 'e')).toEqual(['error']);
    expect(await inBash('run', '')).toEqual(['weather', 'weather-map']);
    expect(await inBash('run', '$')).toEqual([]);
  });

  const isHere = (shell: string) => spawnSync(shell, ['--version']).error === undefined;

  test.runIf(isHere('fish'))('has fish complete the same', async () => {
    const program = `lurkbox completion fish | source; complete --do-complete 'lurkbox run wea'; complete --do-complete 'lurkbox wo'`;
    const { stdout } = await promisify(execFile)('fish', ['--no-config', '-c', program], {
      cwd: workspace.root,
      env: environment(),
    });
    expect(stdout.split('\n').filter(Boolean)).toEqual([
      'weather',
      'weather-map',
      'workflow\tplugins in an order, each with what others answered',
    ]);
  });

  test.runIf(isHere('zsh'))('is one that zsh takes and completes the same with', async () => {
    // What zsh shows goes to its line editor; its own function for that tells here what it was given.
    const program = `
      compdef() { :; }
      _describe() { print -l -- "\${(@P)2}"; }
      _files() { print -- "files $*"; }
      source <(lurkbox completion zsh)
      words=(lurkbox run wea); CURRENT=3; _lurkbox
      words=(lurkbox wo); CURRENT=2; _lurkbox
      words=(lurkbox load ''); CURRENT=3; _lurkbox`;
    const { stdout } = await promisify(execFile)('zsh', ['-f', '-c', program], {
      cwd: workspace.root,
      env: environment(),
    });
    expect(stdout.split('\n').filter(Boolean)).toEqual([
      'weather',
      'weather-map',
      'workflow:plugins in an order, each with what others answered',
      'files -/',
    ]);
  });

  test('exists only for these shells', async () => {
    const { exitCode, stderr } = await runCli(['completion', 'bsh'], { program: SOURCE });
    expect({ exitCode, stderr }).toMatchObject({
      exitCode: 2,
      stderr: expect.stringContaining('Allowed choices are bash, zsh, fish.\n(Did you mean bash?)'),
    });
  });
});
