import { mkdir, mkdtemp, readdir, realpath, rename, rm, stat, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { LurkboxError } from '../../src/errors.ts';
import type { GrantedMount } from '../../src/policy/grant.ts';
import { MountFolders } from '../../src/policy/mount-folder.ts';
import { DEFAULT_UID_RANGE } from '../../src/policy/uids.ts';

let base: string;
beforeEach(async () => {
  base = await realpath(await mkdtemp(join(tmpdir(), 'lurkbox-mount-folder-')));
  for (const name of ['data', 'other']) await mkdir(join(base, name));
});
afterEach(() => rm(base, { recursive: true, force: true }));

const mount = (name: string): GrantedMount => ({
  name,
  hostPath: join(base, name),
  containerPath: `/mnt/${name}`,
  mode: 'rw',
});

const identityOf = async (name: string): Promise<string> => {
  const { dev, ino } = await stat(join(base, name), { bigint: true });
  return `${dev}:${ino}`;
};

test('a mount binds the folder that was checked, wherever its path leads later', async () => {
  using folders = await MountFolders.open([mount('data'), mount('other')], DEFAULT_UID_RANGE);
  const bound = { data: await identityOf('data'), other: await identityOf('other') };
  await rename(join(base, 'data'), join(base, 'moved'));
  await symlink('other', join(base, 'data'));
  folders.assertBound(bound);
});

describe('a mount is refused', () => {
  test.each<[string, () => Promise<Record<string, string>>]>([
    ['where it is another folder', async () => ({ data: await identityOf('other') })],
    ['where nothing is bound', async () => ({})],
    ['where only another name is bound', async () => ({ other: await identityOf('data') })],
    [
      'where it is a part of the same number',
      async () => ({ data: (await identityOf('data')).slice(0, -1) }),
    ],
    ['where it is told by a name that every object has', async () => ({ __proto__: { data: 'x' } as never })],
  ])('%s', async (_what, bound) => {
    using folders = await MountFolders.open([mount('data')], DEFAULT_UID_RANGE);
    const told = await bound();
    expect(() => folders.assertBound(told)).toThrow(
      expect.objectContaining({
        code: 'POLICY_INVALID',
        problems: [
          {
            path: 'allow.mounts.data.path',
            message: expect.stringContaining(
              `another folder was bound than the one that was checked at "${base}/data"`,
            ),
          },
        ],
      }),
    );
  });
});

test('the inode of a removed folder is not reused while it is held', async () => {
  using folders = await MountFolders.open([mount('data')], DEFAULT_UID_RANGE);
  await rm(join(base, 'data'), { recursive: true });
  for (let i = 0; i < 100; i++) {
    await mkdir(join(base, 'data'));
    const bound = { data: await identityOf('data') };
    expect(() => folders.assertBound(bound)).toThrow();
    await rm(join(base, 'data'), { recursive: true });
  }
});

test('all problems of all mounts are reported, and no folder stays open', async () => {
  await symlink('other', join(base, 'link'));
  const before = (await readdir('/proc/self/fd')).length;
  const error: LurkboxError = await MountFolders.open(
    ['data', 'link', 'missing'].map(mount),
    DEFAULT_UID_RANGE,
  ).then(
    () => expect.fail('it was opened'),
    (thrown) => thrown,
  );
  expect(error.problems).toEqual([
    {
      path: 'allow.mounts.link.path',
      message: `leads through a symbolic link to "${base}/other"; write that path`,
    },
    { path: 'allow.mounts.missing.path', message: 'cannot be reached (ENOENT)' },
  ]);
  expect((await readdir('/proc/self/fd')).length).toBe(before);
});
