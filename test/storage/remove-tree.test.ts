import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { Folder } from '../../src/storage/folder.ts';
import { removeTree, removeTreeLater } from '../../src/storage/remove-tree.ts';

let base = '';
beforeEach(() => {
  base = mkdtempSync(join(tmpdir(), 'remove-tree-'));
  mkdirSync(join(base, 'elsewhere'));
  writeFileSync(join(base, 'elsewhere/kept'), '');
});
afterEach(() => rmSync(base, { recursive: true, force: true }));

describe.each([
  ['at once', async (folder: Folder, name: string) => removeTree(folder, name)],
  ['in turns', removeTreeLater],
])('the removal of a tree %s', (_how, remove) => {
  test('removes files, folders and names that are not text', async () => {
    mkdirSync(join(base, 'tree/a/b/c'), { recursive: true });
    mkdirSync(join(base, 'tree/a/d'));
    for (const path of ['tree/1', 'tree/a/2', 'tree/a/b/3', 'tree/a/b/c/4'])
      writeFileSync(join(base, path), '');
    writeFileSync(Buffer.concat([Buffer.from(`${base}/tree/a/`), Buffer.from([0xff])]), '');
    using folder = Folder.open(base);
    await remove(folder, 'tree');
    expect(readdirSync(base)).toEqual(['elsewhere']);
  });

  test('takes a file, a link or nothing', async () => {
    writeFileSync(join(base, 'file'), '');
    symlinkSync('elsewhere', join(base, 'link'));
    using folder = Folder.open(base);
    for (const name of ['file', 'link', 'nothing']) await remove(folder, name);
    expect(readdirSync(base)).toEqual(['elsewhere']);
    expect(readdirSync(join(base, 'elsewhere'))).toEqual(['kept']);
  });

  test('leaves the targets of links alone', async () => {
    mkdirSync(join(base, 'tree/a'), { recursive: true });
    symlinkSync('../elsewhere', join(base, 'tree/link'));
    symlinkSync(join(base, 'elsewhere'), join(base, 'tree/a/link'));
    using folder = Folder.open(base);
    await remove(folder, 'tree');
    expect(existsSync(join(base, 'tree'))).toBe(false);
    expect(readdirSync(join(base, 'elsewhere'))).toEqual(['kept']);
  });

  test('works deeper than a path can name', async () => {
    const levels = 3000;
    using folder = Folder.open(base);
    let inner = folder.makeFolder('tree');
    for (let level = 0; level < levels; level++) {
      const next = inner.makeFolder('nested');
      inner[Symbol.dispose]();
      inner = next;
    }
    inner[Symbol.dispose]();
    await remove(folder, 'tree');
    expect(existsSync(join(base, 'tree'))).toBe(false);
  });
});

test('a folder that becomes a link while it is emptied is not followed', async () => {
  mkdirSync(join(base, 'tree'));
  for (let i = 0; i < 400; i++) writeFileSync(join(base, `tree/${i}`), '');
  using folder = Folder.open(base);
  const removing = removeTreeLater(folder, 'tree');
  renameSync(join(base, 'tree'), join(base, 'moved'));
  symlinkSync('elsewhere', join(base, 'tree'));
  await removing;
  expect(readdirSync(join(base, 'elsewhere'))).toEqual(['kept']);
  expect(existsSync(join(base, 'tree'))).toBe(false);
});
