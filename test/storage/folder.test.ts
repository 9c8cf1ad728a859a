import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  closeSync,
  constants,
  existsSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { entriesIn, readEntries } from '../../src/storage/entries.ts';
import { Folder } from '../../src/storage/folder.ts';

let base = '';
beforeEach(() => {
  base = realpathSync(mkdtempSync(join(tmpdir(), 'folder-')));
  mkdirSync(join(base, 'real/inner'), { recursive: true });
  mkdirSync(join(base, 'elsewhere/inner'), { recursive: true });
  writeFileSync(join(base, 'real/inner/file'), 'ours');
  writeFileSync(join(base, 'elsewhere/inner/file'), 'secret');
});
afterEach(() => rmSync(base, { recursive: true, force: true }));

describe.each([
  ['by its descriptor', true],
  ['by its path', false],
])('a folder that is opened %s', (_way, byDescriptor) => {
  const open = (path: string) => Folder.open(join(base, path), { byDescriptor });
  const openResolved = (path: string) => Folder.openResolved(join(base, path), { byDescriptor });

  test('is opened through links that a person wrote, and knows its real path', () => {
    symlinkSync('real', join(base, 'link'));
    using folder = open('link/inner');
    expect(folder.path).toBe(join(base, 'real/inner'));
    expect(read(folder, 'file')).toBe('ours');
  });

  test.each(['link', 'link/inner'])('is not reopened through a link: %s', (path) => {
    symlinkSync('real', join(base, 'link'));
    expect(codeOf(() => openResolved(path))).toBe('LINK');
  });

  test('is not opened where nothing or a file is', () => {
    expect(codeOf(() => open('missing'))).toBe('ENOENT');
    expect(codeOf(() => openResolved('missing'))).toBe('ENOENT');
    expect(codeOf(() => open('real/inner/file'))).toBe('NOT_A_FOLDER');
    expect(codeOf(() => openResolved('real/inner/file'))).toBe('NOT_A_FOLDER');
  });

  test('takes names of one segment only', async () => {
    using folder = open('real');
    for (const name of ['', '.', '..', 'inner/file', '/etc', 'a\0b', Buffer.from('inner/file')]) {
      expect(codeOf(() => folder.folder(name))).toBe('NOT_A_NAME');
      expect(codeOf(() => folder.file(name))).toBe('NOT_A_NAME');
      await expect(folder.openFile(name)).rejects.toMatchObject({ code: 'NOT_A_NAME' });
    }
  });

  test('refuses links inside it, whatever they lead to', async () => {
    symlinkSync('inner', join(base, 'real/folder-link'));
    symlinkSync('inner/file', join(base, 'real/file-link'));
    using folder = open('real');
    expect(codeOf(() => folder.folder('folder-link'))).toBe('LINK');
    expect(codeOf(() => folder.makeFolder('folder-link'))).toBe('LINK');
    expect(codeOf(() => folder.file('file-link'))).toBe('LINK');
    await expect(folder.openFolder('folder-link')).rejects.toMatchObject({ code: 'LINK' });
    await expect(folder.openFile('file-link')).rejects.toMatchObject({ code: 'LINK' });
  });

  test('opens neither a pipe nor a folder as a file, and does not block', () => {
    execFileSync('mkfifo', [join(base, 'real/pipe')]);
    using folder = open('real');
    expect(codeOf(() => folder.file('pipe'))).toBe('NOT_A_FILE');
    expect(codeOf(() => folder.file('inner'))).toBe('NOT_A_FILE');
    expect(codeOf(() => folder.folder('pipe'))).toBe('NOT_A_FOLDER');
  });

  test('refuses a file with a second hard link on request', () => {
    linkSync(join(base, 'elsewhere/inner/file'), join(base, 'real/again'));
    using folder = open('real');
    expect(codeOf(() => folder.file('again', { singleName: true }))).toBe('HARD_LINK');
    expect(read(folder, 'again')).toBe('secret');
  });

  test('creates a folder with the requested mode, and leaves an existing one', () => {
    chmodSync(join(base, 'real/inner'), 0o755);
    using folder = open('real');
    const before = process.umask(0o777);
    try {
      using made = folder.makeFolder('made', 0o750);
      expect(Number(made.stats.mode) & 0o777).toBe(0o750);
    } finally {
      process.umask(before);
    }
    using kept = folder.makeFolder('inner');
    expect(Number(kept.stats.mode) & 0o777).toBe(0o755);
  });

  test('lists names as they are on the disk', async () => {
    const odd = Buffer.concat([Buffer.from(`${base}/real/`), Buffer.from([0x66, 0xff])]);
    writeFileSync(odd, '');
    symlinkSync('inner', join(base, 'real/link'));
    using folder = open('real');
    const expected = [
      { name: Buffer.from([0x66, 0xff]), kind: 'file' },
      { name: Buffer.from('inner'), kind: 'folder' },
      { name: Buffer.from('link'), kind: 'link' },
    ];
    const byName = (a: { name: Buffer }, b: { name: Buffer }) => Buffer.compare(a.name, b.name);
    expect(entriesIn(folder).sort(byName)).toEqual(expected);
    expect((await Array.fromAsync(readEntries(folder))).sort(byName)).toEqual(expected);
    closeSync(folder.file(Buffer.from([0x66, 0xff])));
  });

  test('reports the owner of itself and its entries, but not of the target of a link', () => {
    symlinkSync('inner', join(base, 'real/link'));
    using folder = open('real');
    expect(folder.stats.uid).toBe(BigInt(process.geteuid?.() ?? 0));
    expect(folder.statsOf('link')?.isSymbolicLink()).toBe(true);
    expect(folder.statsOf('missing')).toBeNull();
  });

  test('does not hand out another folder under its name after it was closed', async () => {
    const folder = open('real');
    const opened = folder.openFolder('inner');
    folder[Symbol.dispose]();
    folder[Symbol.dispose]();
    using elsewhere = open('elsewhere');
    using inner = await opened;
    expect(read(inner, 'file')).toBe('ours');
    expect(elsewhere.path).toContain('elsewhere');
    expect(codeOf(() => folder.folder('inner'))).toBe('CLOSED');
  });
});

describe('a folder that is held while the way to it is swapped', () => {
  test('stays the same when it is opened by descriptor', () => {
    using folder = Folder.open(join(base, 'real'));
    renameSync(join(base, 'real'), join(base, 'moved'));
    symlinkSync('elsewhere', join(base, 'real'));
    using inner = folder.folder('inner');
    expect(read(inner, 'file')).toBe('ours');
  });

  test('is refused when it is opened by path', () => {
    using folder = Folder.open(join(base, 'real'), { byDescriptor: false });
    renameSync(join(base, 'real'), join(base, 'moved'));
    symlinkSync('elsewhere', join(base, 'real'));
    expect(codeOf(() => folder.folder('inner'))).toBe('CHANGED');
  });

  test('writes and renames at its real place, and never into a link', () => {
    using folder = Folder.open(join(base, 'real'));
    renameSync(join(base, 'real'), join(base, 'moved'));
    symlinkSync('elsewhere', join(base, 'real'));
    symlinkSync('elsewhere/inner/file', join(base, 'moved/target'));
    closeSync(folder.file('new', { flags: constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL }));
    folder.rename('new', folder, 'target');
    expect(statSync(join(base, 'moved/target')).mode & 0o777).toBe(0o600);
    expect(readFileSync(join(base, 'elsewhere/inner/file'), 'utf8')).toBe('secret');
    expect(existsSync(join(base, 'elsewhere/new'))).toBe(false);
  });

  test('is reported as gone after it was removed', () => {
    using folder = Folder.open(join(base, 'real/inner'));
    rmSync(join(base, 'real/inner'), { recursive: true });
    expect(codeOf(() => folder.file('file'))).toBe('ENOENT');
  });
});

function read(folder: Folder, name: string): string {
  const descriptor = folder.file(name);
  try {
    return readFileSync(descriptor, 'utf8');
  } finally {
    closeSync(descriptor);
  }
}

function codeOf(work: () => unknown): string {
  try {
    work();
  } catch (error) {
    return (error as { code: string }).code;
  }
  return 'none';
}
