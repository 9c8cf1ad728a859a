import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { ownProcess } from '../../src/process.ts';
import { createTempFolder } from '../../src/storage/temp-folder.ts';

let cacheDir: string;
beforeEach(async () => {
  cacheDir = join(await mkdtemp(join(tmpdir(), 'temp-folder-test-')), '.lurkbox');
});
afterEach(() => rm(join(cacheDir, '..'), { recursive: true }));

describe('createTempFolder', () => {
  test('makes a private folder that is removed when its block ends, even by an error', async () => {
    let path = '';
    const use = async () => {
      await using folder = await createTempFolder(cacheDir);
      path = folder.path;
      expect(path.replace(cacheDir, '')).not.toContain(':');
      expect((await stat(path)).mode & 0o777).toBe(0o700);
      await writeFile(join(path, 'file'), '');
      throw new Error('in between');
    };
    await expect(use()).rejects.toThrow('in between');
    expect(existsSync(path)).toBe(false);
  });

  test('makes a folder whose name can be in a list of paths, as the loader reads it', async () => {
    await using folder = await createTempFolder(cacheDir);
    expect(basename(folder.path)).not.toMatch(/[:;\s]/);
  });

  test('removes what dead processes left, and nothing else (P2)', async () => {
    const tmp = join(cacheDir, 'tmp');
    const [pid, started, namespace] = ownProcess().split(':');
    const living = ownProcess().replaceAll(':', '.');
    const names = {
      ofTheDead: `image-4194305.1.${namespace}-abcdef`,
      ofALaterProcessOfThatPid: `image-${pid}.${Number(started) + 1}.${namespace}-abcdef`,
      ofTheLiving: `image-${living}-abcdef`,
      ofAnotherNamespace: 'image-4194305.1.7-abcdef',
      ofNobody: 'image-old',
      ofOthers: `other-4194305.1.${namespace}-abcdef`,
    };
    for (const name of Object.values(names)) await mkdir(join(tmp, name), { recursive: true });
    await using folder = await createTempFolder(cacheDir);
    const left = (await readdir(tmp)).filter((name) => !folder.path.endsWith(name));
    const { ofTheLiving, ofAnotherNamespace, ofNobody, ofOthers } = names;
    expect(left.sort()).toEqual([ofTheLiving, ofAnotherNamespace, ofNobody, ofOthers].sort());
  });
});
