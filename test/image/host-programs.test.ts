import { chmod, chown, mkdir, mkdtemp, realpath, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { HostPrograms } from '../../src/image/host-programs.ts';

let root: string;
let bin: string;
beforeEach(async () => {
  root = await realpath(await mkdtemp(join(tmpdir(), 'host-programs-')));
  bin = join(root, 'bin');
  await mkdir(bin);
  await writeScript(join(bin, 'npm'), 'echo "ran $*"; env');
});
afterEach(() => rm(root, { recursive: true, force: true }));

async function writeScript(path: string, text: string): Promise<void> {
  await writeFile(path, `#!/bin/sh\n${text}\n`);
  await chmod(path, 0o755);
}

const SYSTEM_PATH = '/usr/bin:/bin';
const run = (path: string, env: NodeJS.ProcessEnv = {}) =>
  new HostPrograms({ ...env, PATH: path }).run('npm', ['--version'], { timeoutMs: 20_000 });

describe('a program of the host', () => {
  test('is the first one of its name on the PATH', async () => {
    expect((await run(`${bin}:${SYSTEM_PATH}`))?.stdout).toContain('ran --version');
  });

  test('is missing when no folder of the PATH has it', async () => {
    await mkdir(join(root, 'empty'));
    expect(await run(join(root, 'empty'))).toBeNull();
  });

  test('is looked up once: a later one in an earlier folder changes nothing', async () => {
    const first = join(root, 'first');
    await mkdir(first);
    const programs = new HostPrograms({ PATH: `${first}:${bin}:${SYSTEM_PATH}` });
    const options = { timeoutMs: 20_000 };
    await programs.run('npm', [], options);
    await writeScript(join(first, 'npm'), 'echo another');
    expect((await programs.run('npm', [], options))?.stdout).toContain('ran');
  });

  test.each(['', '.', 'bin', './bin'])(
    'is not looked for in `%s`, which is not an absolute folder',
    async (entry) => {
      const before = process.cwd();
      process.chdir(root);
      try {
        expect(await run(`${entry}:${join(root, 'empty')}`)).toBeNull();
      } finally {
        process.chdir(before);
      }
    },
  );
});

describe('a program that another user could change is refused', () => {
  const refused = { name: 'LurkboxError', code: 'IMAGE_BUILD_FAILED' };
  const path = () => `${bin}:${SYSTEM_PATH}`;

  test('because everybody may write to its folder', async () => {
    await chmod(bin, 0o777);
    await expect(run(path())).rejects.toMatchObject({
      ...refused,
      message: expect.stringMatching(
        /npm" to be a program .* can be written to by everybody; take its folder/,
      ),
    });
  });

  test('because everybody may write to the program', async () => {
    await chmod(join(bin, 'npm'), 0o777);
    await expect(run(path())).rejects.toMatchObject(refused);
  });

  test('because everybody may write to a folder above it', async () => {
    await chmod(root, 0o777);
    await expect(run(path())).rejects.toMatchObject(refused);
  });

  test('because a link on the way lies where everybody may write', async () => {
    const open = join(root, 'open');
    await mkdir(open);
    await symlink(bin, join(open, 'tools'));
    await symlink(join(open, 'tools'), join(root, 'path'));
    await chmod(open, 0o777);
    await expect(run(`${join(root, 'path')}:${SYSTEM_PATH}`)).rejects.toMatchObject(refused);
  });

  test.runIf(process.getuid?.() === 0)('because it belongs to another user', async () => {
    await chown(bin, 65532, 65532);
    await expect(run(path())).rejects.toMatchObject({ message: expect.stringContaining('the user 65532') });
  });

  test.runIf(process.getuid?.() === 0)('because a group of others may write to its folder', async () => {
    await chown(bin, 0, 65532);
    await chmod(bin, 0o775);
    await expect(run(path())).rejects.toMatchObject({ message: expect.stringContaining('the group 65532') });
  });

  test('but not because a folder above is one like /tmp, in which only owners rename', async () => {
    await chmod(root, 0o1777);
    expect((await run(path()))?.exitCode).toBe(0);
  });
});

describe('the environment of a program', () => {
  async function environment(env: NodeJS.ProcessEnv): Promise<Record<string, string>> {
    const { stdout = '' } = (await run(`${bin}:${SYSTEM_PATH}`, env)) ?? {};
    const lines = stdout.split('\n').filter((line) => line.includes('=') && !line.startsWith('ran'));
    return Object.fromEntries(lines.map((line) => [line.split('=')[0], line.slice(line.indexOf('=') + 1)]));
  }

  test('has what npm needs to reach its registry', async () => {
    const given = {
      HOME: root,
      https_proxy: 'http://127.0.0.1:9',
      NO_PROXY: 'localhost',
      NODE_EXTRA_CA_CERTS: '/etc/ca.pem',
      npm_config_cafile: '/etc/ca.pem',
    };
    expect(await environment(given)).toMatchObject(given);
  });

  test('has nothing that leads to other code, and no secret of this process', async () => {
    const env = await environment({
      HOME: root,
      NODE_OPTIONS: '--require=/tmp/evil.js',
      NODE_PATH: '/tmp',
      LD_PRELOAD: '/tmp/evil.so',
      LD_LIBRARY_PATH: '/tmp',
      BASH_ENV: '/tmp/evil.sh',
      ENV: '/tmp/evil.sh',
      DOCKER_HOST: 'tcp://127.0.0.1:1',
      MODEL_API_KEY: 'secret',
    });
    expect(
      Object.keys(env)
        .sort()
        .filter((name) => name !== 'PWD'),
    ).toEqual(['HOME', 'LANG', 'NODE_DISABLE_COMPILE_CACHE', 'PATH']);
  });

  // npm 11 reads it from a folder in /tmp, whoever made that.
  test('keeps Node from compiled code in folders that others can make (P10)', async () => {
    expect(await environment({ HOME: root })).toMatchObject({ NODE_DISABLE_COMPILE_CACHE: '1' });
  });

  test('has the token that the npm settings of the user name', async () => {
    await writeFile(
      join(root, '.npmrc'),
      ['//registry.test/:_authToken=$', '{TEAM_TOKEN}\nnode-options=$', '{NODE_OPTIONS}\n'].join(''),
    );
    const env = await environment({
      HOME: root,
      TEAM_TOKEN: 'abc',
      OTHER: 'x',
      NODE_OPTIONS: '--require=/x',
    });
    expect(env).toMatchObject({ TEAM_TOKEN: 'abc' });
    expect(env).not.toHaveProperty('OTHER');
    expect(env).not.toHaveProperty('NODE_OPTIONS');
  });

  test('has a PATH without the folders that others can write to, or that are not absolute', async () => {
    const open = join(root, 'open');
    await mkdir(open);
    await chmod(open, 0o777);
    const { stdout = '' } = (await run(`${bin}:${open}:relative::${SYSTEM_PATH}`)) ?? {};
    const path = /^PATH=(.*)$/m.exec(stdout)?.[1]?.split(':').slice(1);
    expect(path).toEqual([bin, ...SYSTEM_PATH.split(':')]);
  });
});
