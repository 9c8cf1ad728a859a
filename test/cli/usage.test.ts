import { once } from 'node:events';
import { cp, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import packageJson from '../../package.json' with { type: 'json' };
import { createWorkspace } from '../helpers/workspace.ts';
import { BUILT, NO_ENGINE, runCli, SOURCE, startCli } from './run-cli.ts';

const lurkbox = (...args: string[]) => runCli(args, { program: SOURCE, env: NO_ENGINE });

describe('help', () => {
  test('names every command and every exit code', async () => {
    const { exitCode, stdout, stderr } = await lurkbox('--help');
    expect(exitCode).toBe(0);
    expect(stderr).toBe('');
    for (const command of ['run', 'list', 'explain', 'doctor', 'workflow', 'image', 'prune', 'completion']) {
      expect(stdout).toMatch(new RegExp(`^ {2}${command} `, 'm'));
    }
    expect(stdout.match(/^ {2}[0-9] {2}/gm)).toEqual(['  0  ', '  1  ', '  2  ', '  3  ', '  4  ']);
  });

  test.each([
    [['run'], ['--context', '--input', '--timeout', '--prompt']],
    [['doctor'], ['--attack']],
    [
      ['workflow', 'run'],
      ['--context', '--input'],
    ],
    [['workflow', 'check'], []],
    [['image', 'build'], []],
    [['image', 'prune'], ['--all']],
  ])('of %j names its own options and the common ones', async (command, own) => {
    const { exitCode, stdout } = await lurkbox(...command, '--help');
    expect(exitCode).toBe(0);
    for (const option of [...own, '--workspace', '--policy', '--json', '--log', '--color'])
      expect(stdout).toContain(option);
  });

  test('--version prints the version of the package', async () => {
    expect(await lurkbox('--version')).toMatchObject({ exitCode: 0, stdout: `${packageJson.version}\n` });
  });
});

describe('help of one command', () => {
  test.each([
    [
      ['help', 'run'],
      ['run', '--help'],
    ],
    [
      ['help', 'image', 'build'],
      ['image', 'build', '--help'],
    ],
    [['help'], ['--help']],
  ])('%j is %j', async (asked, same) => {
    const [help, other] = await Promise.all([lurkbox(...asked), lurkbox(...same)]);
    expect(help).toMatchObject({ exitCode: 0, stderr: '', stdout: other.stdout });
  });
});

describe('a typo is answered with the likely meaning', () => {
  test.each([
    [['lsit'], 'list'],
    [['imgae', 'list'], 'image'],
    [['image', 'lst'], 'list'],
    [['audit', 'verfy'], 'verify'],
    [['help', 'doctr'], 'doctor'],
    [['help', 'workflow', 'chek'], 'check'],
    [['list', '--jsn'], '--json'],
    [['run', 'x', '--contxt', '-'], '--context'],
    [['--worspace', '.', 'list'], '--workspace'],
    [['list', '--log', 'wran'], 'warn'],
    [['list', '--color', 'alwys'], 'always'],
    [['events', '--type', 'EXECUT'], 'EXECUTE'],
    [['completion', 'zssh'], 'zsh'],
  ])('%j: %s', async (args, meant) => {
    const { exitCode, stdout, stderr } = await lurkbox(...args);
    expect({ exitCode, stdout }).toEqual({ exitCode: 2, stdout: '' });
    expect(stderr).toContain(`(Did you mean ${meant}?)`);
  });

  test('but not when nothing is similar', async () => {
    expect((await lurkbox('teleport')).stderr).not.toContain('Did you mean');
  });
});

test('a command of commands alone does what its first one does', async () => {
  await using workspace = await createWorkspace();
  for (const name of ['audit', 'registry']) {
    const { exitCode, stdout, stderr } = await lurkbox(name, '--workspace', workspace.root);
    expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: '' });
    expect(stdout).toContain('There is no');
  }
});

test.each([[['--nope']], [[]]])('%j keeps its exit code where nobody reads why', async (args) => {
  const run = startCli(args, { program: SOURCE, env: NO_ENGINE });
  run.process.stderr?.destroy();
  await once(run.process, 'exit');
  expect(run.process.exitCode).toBe(2);
});

describe('colour', () => {
  const isColored = async (args: string[], env = {}) =>
    (await runCli(['audit', '--workspace', tmpdir(), ...args], { program: SOURCE, env })).stdout.includes(
      '\u001b[',
    );
  /** Ends with a mark, which is the only thing that is painted. */
  const MARKED = ['--expect', '0'.repeat(64)];

  test.each([
    ['no terminal has none', [], {}, false],
    ['--color always', ['--color', 'always'], {}, true],
    ['--color always, against NO_COLOR', ['--color', 'always'], { NO_COLOR: '1' }, true],
    ['FORCE_COLOR', [], { FORCE_COLOR: '1' }, true],
    ['--color auto, with FORCE_COLOR', ['--color', 'auto'], { FORCE_COLOR: '1' }, true],
    ['--color never, against FORCE_COLOR', ['--color', 'never'], { FORCE_COLOR: '1' }, false],
  ])('%s', async (_, args, env, colored) => {
    expect(await isColored([...args, ...MARKED], env)).toBe(colored);
  });

  test('can also be set before the command', async () => {
    const args = ['--color', 'always', 'audit', '--workspace', tmpdir(), ...MARKED];
    expect((await lurkbox(...args)).stdout).toContain('\u001b[');
  });
});

describe('the common options are accepted before and after the command', () => {
  test.each([
    [['--workspace', tmpdir(), 'list', '--json']],
    [['list', '--json', '--workspace', tmpdir()]],
    [['--json', '--workspace', tmpdir(), '--log', 'error', 'list']],
    [['--workspace', '/nowhere', '--json', 'list', '--workspace', tmpdir()]],
  ])('%j', async (args) => {
    const { exitCode, stdout } = await lurkbox(...args);
    expect({ exitCode, document: JSON.parse(stdout) }).toEqual({
      exitCode: 0,
      document: { plugins: [], broken: [] },
    });
  });

  test.each([
    [['--workspace', '/nowhere', 'audit']],
    [['audit', '--workspace', '/nowhere']],
    [['audit', '--workspace', '/nowhere', 'verify']],
    [['audit', 'verify', '--workspace', '/nowhere']],
  ])('%j', async (args) => {
    const { exitCode, stderr } = await lurkbox(...args);
    expect(exitCode).toBe(2);
    expect(stderr).toContain('/nowhere');
  });

  test('and are refused where another one is missing', async () => {
    const { exitCode, stderr } = await lurkbox('use', 'x', '--canary-calls', '5');
    expect(exitCode).toBe(2);
    expect(stderr).toContain('expected `--canary <percent>` beside it');
  });

  test('and conflict with the same options', async () => {
    const { exitCode, stderr } = await lurkbox('--json', 'run', 'x', '--prompt');
    expect(exitCode).toBe(2);
    expect(stderr).toContain('cannot be used with');
  });

  test('and are in the help', async () => {
    for (const args of [['--help'], ['image', '--help'], ['run', '--help']])
      for (const option of ['--workspace', '--policy', '--json', '--log', '--color'])
        expect((await lurkbox(...args)).stdout).toContain(option);
  });
});

describe('bad usage exits with 2 and says why on stderr', () => {
  test.each([
    ['no command', [], 'Usage: lurkbox'],
    ['a command that does not exist', ['launch'], "unknown command 'launch'"],
    ['an option that does not exist', ['run', 'x', '--fast'], "unknown option '--fast'"],
    ['no plugin', ['run'], "missing required argument 'plugins'"],
    ['an option without its value', ['run', 'x', '--context'], 'argument missing'],
    ['a log level that does not exist', ['list', '--log', 'loud'], 'debug, info, warn, error, silent'],
    ['--json beside --prompt', ['run', 'x', '--json', '--prompt'], 'cannot be used with'],
    ['a timeout that is no number', ['run', 'x', '--timeout', 'soon'], 'Expected seconds'],
    ['a timeout of zero', ['run', 'x', '--timeout', '0'], 'Expected seconds'],
    ['no workflow file', ['workflow', 'run'], "missing required argument 'file'"],
    ['an image command that does not exist', ['image', 'burn'], "unknown command 'burn'"],
  ])('%s', async (_, args, message) => {
    const { exitCode, stdout, stderr } = await lurkbox(...args);
    expect({ exitCode, stdout }).toEqual({ exitCode: 2, stdout: '' });
    expect(stderr).toContain(message);
  });

  test('lurkbox that is not built', async () => {
    const checkout = await mkdtemp(join(tmpdir(), 'lurkbox-cli-'));
    try {
      await cp(BUILT, join(checkout, 'bin/lurkbox.js'));
      await cp(join(BUILT, '../../package.json'), join(checkout, 'package.json'));
      const { exitCode, stderr } = await runCli(['list'], { program: join(checkout, 'bin/lurkbox.js') });
      expect({ exitCode, stderr }).toEqual({
        exitCode: 2,
        stderr: 'lurkbox is not built: `dist/` is missing. Run `make build`.\n',
      });
    } finally {
      await rm(checkout, { recursive: true });
    }
  });
});

describe('without an engine', () => {
  test.each([[['doctor']], [['image', 'list']], [['image', 'build']], [['image', 'prune']], [['prune']]])(
    '%j exits with 3 and names the address that was tried',
    async (args) => {
      const { exitCode, stdout, stderr } = await lurkbox(...args, '--workspace', tmpdir());
      expect({ exitCode, stdout }).toEqual({ exitCode: 3, stdout: '' });
      expect(stderr).toContain('`unix:///nonexistent/docker.sock` (`DOCKER_HOST`): no such file');
    },
  );

  test('an invalid address is bad usage', async () => {
    const { exitCode, stderr } = await runCli(['doctor'], {
      program: SOURCE,
      env: { DOCKER_HOST: 'engine' },
    });
    expect(exitCode).toBe(2);
    expect(stderr).toContain('`DOCKER_HOST` is `engine`');
  });
});
