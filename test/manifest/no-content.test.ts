import { writeFileSync } from 'node:fs';
import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { loadPlugin } from '../../src/manifest/load.ts';
import { isContent } from '../../src/manifest/no-content.ts';
import { MINIMAL } from './sample.ts';

let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'lurkbox-no-content-'));
  await put('plugin.json', JSON.stringify(MINIMAL));
  await put('index.js', 'export const execute = () => 1;\n');
});
afterEach(() => rm(folder, { recursive: true, force: true }));

async function put(path: string, content = 'x'): Promise<void> {
  await mkdir(dirname(join(folder, path)), { recursive: true });
  await writeFile(join(folder, path), content);
}

describe('a file of an operating system or editor is not content:', () => {
  test.each([
    '.DS_Store',
    'lib/.DS_Store',
    '._index.js',
    'Icon\r',
    '__MACOSX/._index.js',
    '.Spotlight-V100/store.db',
    '.Trashes/501/old.js',
    'Thumbs.db',
    'pictures/thumbs.DB',
    'Desktop.ini',
    '$RECYCLE.BIN/S-1-5-21/desktop.ini',
    'lost+found/x',
    '.Trash-1000/files/x',
    '.nfs000000000123abcd00000001',
    '.fuse_hidden0000a5d300000001',
    'index.js~',
    '#index.js#',
    '.index.js.swp',
    '.swo',
    'lib/.a.js.swx',
    '.goutputstream-8XQ1Z2',
    'index.js___jb_tmp___',
    '.git/config',
    'vendor/parser/.git',
    '.svn/entries',
    '.hg/store',
    '.idea/workspace.xml',
    '.vscode/settings.json',
    'npm-debug.log',
    'npm-debug.log.1234',
  ])('%j', async (path) => {
    const { digest } = await loadPlugin(folder);
    await put(path);
    const after = await loadPlugin(folder);
    expect(after.files.map((file) => file.path)).toEqual(['index.js', 'plugin.json']);
    expect(after.digest).toBe(digest);
  });

  test('the lock of an editor, which is a broken link', async () => {
    await symlink('ada@laptop.4711:1700000000', join(folder, '.#index.js'));
    expect((await loadPlugin(folder)).files).toHaveLength(2);
  });

  test('any number of them, which does not count for the limits of a folder', async () => {
    await mkdir(join(folder, 'lib'));
    for (let index = 0; index < 2100; index++) await put(`lib/._${index}.js`, '');
    expect((await loadPlugin(folder)).files).toHaveLength(2);
  });
});

describe('a file that an author may mean is content:', () => {
  test.each([
    '.env.json',
    '.gitignore',
    '.gitattributes',
    '.npmrc',
    '.eslintrc.json',
    '.DS_Store.json',
    'thumbs.db.js',
    '_index.js',
    '#notes.md',
    'a~b.txt',
    'swap.swp',
    '4913',
    'build/output.js',
    'dist/index.js',
    'patches/fix.orig',
    'CVS/stores.json',
    'templates/.vscode/settings.json',
    'templates/.idea/misc.xml',
    'data/npm-debug.log',
    'data/lost+found/keys.json',
    'core',
    '.nfs',
  ])('%j', async (path) => {
    await put(path);
    expect((await loadPlugin(folder)).files.map((file) => file.path)).toContain(path);
  });

  test('a folder named like an ignored file, and the other way round', () => {
    expect(isContent('old~', { kind: 'folder', isAtTop: true })).toBe(true);
    expect(isContent('__MACOSX', { kind: 'file', isAtTop: true })).toBe(true);
  });
});

test('an entry point that is not content is refused with the reason', async () => {
  await put('plugin.json', JSON.stringify({ ...MINIMAL, entry_point: '._index.js' }));
  await put('._index.js');
  await expect(loadPlugin(folder)).rejects.toMatchObject({
    code: 'MANIFEST_INVALID',
    problems: [{ path: 'entry_point', message: expect.stringContaining('systems and editors drop') }],
  });
});

test('an endless folder of ignored files is not read to its end', {
  timeout: 60_000,
}, async () => {
  await mkdir(join(folder, 'lib'));
  for (let index = 0; index < 20_100; index++) writeFileSync(join(folder, 'lib', `._${index}`), '');
  await expect(loadPlugin(folder)).rejects.toMatchObject({
    problems: [{ path: '', message: expect.stringContaining('more than 20000 entries') }],
  });
});
