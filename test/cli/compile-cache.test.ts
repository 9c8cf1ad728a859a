import { chmod, mkdir, mkdtemp, readdir, realpath, rm, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { privateFolder } from '../../src/cli/compile-cache.ts';
import { runCli, SOURCE } from './run-cli.ts';

let caches: string;

beforeEach(async () => {
  caches = await mkdtemp(join(await realpath(tmpdir()), 'lurkbox-caches-'));
});

afterEach(() => rm(caches, { recursive: true, force: true }));

const folderIn = (path: string) => privateFolder({ XDG_CACHE_HOME: path });

test('the compile cache is in a folder for the user alone', async () => {
  const folder = folderIn(caches);
  expect(folder).toBe(join(caches, 'lurkbox/compiled'));
  const { exitCode } = await runCli(['list', '--workspace', caches], {
    program: SOURCE,
    env: { XDG_CACHE_HOME: caches, NODE_COMPILE_CACHE: undefined },
  });
  expect(exitCode).toBe(0);
  expect(await readdir(folder ?? '')).not.toEqual([]);
});

test.each<[string, () => Promise<void>]>([
  ['others may write to it', () => chmod(join(caches, 'lurkbox/compiled'), 0o777)],
  ['others may read it', () => chmod(join(caches, 'lurkbox/compiled'), 0o755)],
  ['others may write to the folder around it', () => chmod(join(caches, 'lurkbox'), 0o770)],
  ['others may write to a folder on the way to it', () => chmod(caches, 0o777)],
  [
    'it is a link',
    async () => {
      await rm(join(caches, 'lurkbox/compiled'), { recursive: true });
      await mkdir(join(caches, 'elsewhere'), { mode: 0o700 });
      await symlink(join(caches, 'elsewhere'), join(caches, 'lurkbox/compiled'));
    },
  ],
  [
    'the folder around it is a link',
    async () => {
      await rm(join(caches, 'lurkbox'), { recursive: true });
      await mkdir(join(caches, 'elsewhere/compiled'), { recursive: true, mode: 0o700 });
      await symlink(join(caches, 'elsewhere'), join(caches, 'lurkbox'));
    },
  ],
])('there is no compile cache when %s', async (_, spoil) => {
  expect(folderIn(caches)).not.toBeNull();
  await spoil();
  expect(folderIn(caches)).toBeNull();
});

test.each<[string, () => Promise<void>]>([
  ['others may write to the folder for caches', () => chmod(caches, 0o777)],
  [
    'the way to it is a link',
    async () => {
      await mkdir(join(caches, 'elsewhere'), { mode: 0o700 });
      await symlink(join(caches, 'elsewhere'), join(caches, 'lurkbox'));
    },
  ],
])('nothing is made where %s, as that of another user for root', async (_, spoil) => {
  await spoil();
  const before = await readdir(caches, { recursive: true });
  expect(folderIn(caches)).toBeNull();
  expect(await readdir(caches, { recursive: true })).toEqual(before);
});

test('without a compile cache nothing is stored or reported', async () => {
  await mkdir(join(caches, 'lurkbox'), { mode: 0o700 });
  await mkdir(join(caches, 'lurkbox/compiled'));
  await chmod(join(caches, 'lurkbox/compiled'), 0o777);
  const { exitCode, stderr } = await runCli(['list', '--workspace', caches], {
    program: SOURCE,
    env: { XDG_CACHE_HOME: caches, NODE_COMPILE_CACHE: undefined },
  });
  expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: '' });
  expect(await readdir(join(caches, 'lurkbox/compiled'))).toEqual([]);
});

test('the folder for caches can be a link that a person made', async () => {
  await mkdir(join(caches, 'disk'));
  await symlink(join(caches, 'disk'), join(caches, 'link'));
  expect(folderIn(join(caches, 'link'))).toBe(join(caches, 'disk/lurkbox/compiled'));
});

test('a place where no folder can be created is not used for the compile cache', () => {
  expect(folderIn('/proc/self')).toBeNull();
});
