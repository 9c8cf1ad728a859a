import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { createTempFolder } from '../../src/image/temp-folder.ts';

let cacheDir: string;
beforeEach(async () => {
  cacheDir = join(await mkdtemp(join(tmpdir(), 'temp-folder-test-')), '.lurkbox');
});
afterEach(() => rm(join(cacheDir, '..'), { recursive: true }));

describe('createTempFolder', () => {
  test('makes a private folder that is gone when its block ends, even by an error', async () => {
    let path = '';
    const use = async () => {
      await using folder = await createTempFolder(cacheDir);
      path = folder.path;
      expect((await stat(path)).mode & 0o777).toBe(0o700);
      await writeFile(join(path, 'file'), '');
      throw new Error('in between');
    };
    await expect(use()).rejects.toThrow('in between');
    expect(existsSync(path)).toBe(false);
  });

  test('removes what a killed process left, and nothing else', async () => {
    const tmp = join(cacheDir, 'tmp');
    const twoHoursAgo = new Date(Date.now() - 2 * 60 * 60 * 1000);
    for (const name of ['image-old', 'image-new', 'other-old']) {
      await mkdir(join(tmp, name), { recursive: true });
      if (name.endsWith('old')) await utimes(join(tmp, name), twoHoursAgo, twoHoursAgo);
    }
    await using folder = await createTempFolder(cacheDir);
    const names = (await readdir(tmp)).filter((name) => !folder.path.endsWith(name));
    expect(names.sort()).toEqual(['image-new', 'other-old']);
  });
});
