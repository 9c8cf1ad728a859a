import { mkdir, mkdtemp, readdir, realpath, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { LurkboxError } from '../../src/errors.ts';
import { discoverPlugins } from '../../src/manifest/discover.ts';
import { loadPlugin } from '../../src/manifest/load.ts';
import { readPluginFiles } from '../../src/manifest/read-files.ts';
import { walkFolder } from '../../src/manifest/walk.ts';
import { Folder } from '../../src/storage/folder.ts';
import { MINIMAL } from './sample.ts';

let base: string;

beforeEach(async () => {
  base = await realpath(await mkdtemp(join(tmpdir(), 'lurkbox-links-')));
  await plugin('ws/plugins/reader', 'ours');
  await plugin('elsewhere/reader', 'mine');
});
afterEach(() => rm(base, { recursive: true, force: true }));

describe('a link below the workspace', () => {
  test('in the place of a plugin is found, and refused by name', async () => {
    await symlink('../../elsewhere/reader', join(base, 'ws/plugins/linked'));
    const folders = await discoverPlugins(join(base, 'ws'));
    expect(folders).toEqual(['linked', 'reader'].map((name) => join(base, 'ws/plugins', name)));
    const error = await errorOf(loadPlugin(join(base, 'ws/plugins/linked'), { path: 'resolved' }));
    expect(error).toMatchObject({
      code: 'MANIFEST_INVALID',
      problems: [{ path: '', message: expect.stringContaining('symbolic link') }],
    });
    expect(error.message).toContain('plugins/linked');
  });

  test('in the place of `plugins` is refused', async () => {
    await rename(join(base, 'ws/plugins'), join(base, 'moved'));
    await symlink('../moved', join(base, 'ws/plugins'));
    const error = await errorOf(discoverPlugins(join(base, 'ws')));
    expect(error.code).toBe('OPTIONS_INVALID');
    expect(error.message).toMatch(/symbolic link/);
  });

  test('that takes the place of `plugins` after it was listed is refused', async () => {
    const [folder = ''] = await discoverPlugins(join(base, 'ws'));
    await rename(join(base, 'ws/plugins'), join(base, 'moved'));
    await symlink('../elsewhere', join(base, 'ws/plugins'));
    expect((await errorOf(loadPlugin(folder, { path: 'resolved' }))).code).toBe('MANIFEST_INVALID');
  });

  test('on a path that a person wrote is followed once, and shown', async () => {
    await symlink('ws', join(base, 'alias'));
    expect(await discoverPlugins(join(base, 'alias'))).toEqual([join(base, 'ws/plugins/reader')]);
    expect((await loadPlugin(join(base, 'alias/plugins/reader'))).folder).toBe(
      join(base, 'ws/plugins/reader'),
    );
  });
});

describe('the files of a plugin that was loaded', () => {
  test.each(['ws/plugins/reader/lib', 'ws/plugins/reader', 'ws/plugins', 'ws'])(
    'are not read through a link in the place of %s, even to the same files',
    async (path) => {
      const loaded = await loadPlugin(join(base, 'ws/plugins/reader'));
      await rename(join(base, path), join(base, 'moved'));
      await symlink(join(base, 'moved'), join(base, path));
      const error = await errorOf(Array.fromAsync(readPluginFiles(loaded)));
      expect(error.code).toBe('MANIFEST_INVALID');
    },
  );
});

describe('a folder that is swapped while it is walked', () => {
  test('stays the one that was listed', async () => {
    const path = join(base, 'ws/plugins/reader');
    using root = Folder.open(path);
    using lib = root.folder('lib');
    await rename(join(path, 'lib'), join(base, 'moved'));
    await symlink(join(base, 'elsewhere/reader/lib'), join(path, 'lib'));
    const { files } = await walkFolder(lib);
    expect(files).toMatchObject([{ path: 'data', sizeBytes: 4 }]);
    using elsewhere = Folder.open(join(base, 'elsewhere/reader/lib'));
    expect(files).not.toEqual((await walkFolder(elsewhere)).files);
  });

  test.each<[string, (path: string) => Promise<unknown>]>([
    ['a folder becomes a link', (path) => replace(join(path, 'lib'), join(base, 'elsewhere/reader/lib'))],
    ['a file becomes a link', (path) => replace(join(path, 'index.js'), join(base, 'secret'))],
    ['a folder is gone', (path) => rename(join(path, 'lib'), join(base, 'moved'))],
  ])('is reported as changed when %s after it was listed', async (_what, change) => {
    const path = join(base, 'ws/plugins/reader');
    await writeFile(join(base, 'secret'), 'secret');
    using root = Folder.open(path);
    const opened = afterListing(root, () => change(path));
    const error = await walkFolder(opened).then(
      () => null,
      (thrown: unknown) => thrown,
    );
    expect(String(error)).toMatch(/changed while it was read/);
  });
});

test('reading hundreds of plugins at once stays within the limit of descriptors', async () => {
  await plugin('deep', 'x', 'd/'.repeat(30));
  const open = async () => (await readdir('/proc/self/fd')).length;
  const before = await open();
  let most = 0;
  const watch = setInterval(async () => {
    most = Math.max(most, await open());
  }, 1);
  for (let round = 0; round < 5; round++)
    await Promise.all(Array.from({ length: 4 }, () => loadPlugin(join(base, 'deep'))));
  clearInterval(watch);
  expect(most - before).toBeLessThanOrEqual(4 * (32 + 8 + 2));
  expect(await open()).toBeLessThanOrEqual(before + 1);
});

/** The folder as it is, with a change right before anything in it is opened. */
function afterListing(folder: Folder, change: () => Promise<unknown>): Folder {
  let changed: Promise<unknown> | undefined;
  return new Proxy(folder, {
    get(target, key) {
      const value = Reflect.get(target, key, target);
      if (typeof value !== 'function') return value;
      if (key !== 'openFolder' && key !== 'openFile') return value.bind(target);
      return async (...args: unknown[]) => {
        changed ??= change();
        await changed;
        return value.apply(target, args);
      };
    },
  });
}

async function replace(path: string, by: string): Promise<void> {
  await rename(path, join(base, 'moved'));
  await symlink(by, path);
}

async function plugin(path: string, data: string, below = 'lib/'): Promise<void> {
  const contents = {
    'plugin.json': JSON.stringify(MINIMAL),
    'index.js': 'export const execute = () => 1;',
    [`${below}data`]: data,
  };
  for (const [name, content] of Object.entries(contents)) {
    await mkdir(dirname(join(base, path, name)), { recursive: true });
    await writeFile(join(base, path, name), content);
  }
}

async function errorOf(work: Promise<unknown>): Promise<LurkboxError> {
  return work.then(
    () => expect.fail('nothing was refused'),
    (error) => error,
  );
}
