import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { chmod, link, mkdir, mkdtemp, rm, symlink, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { LurkboxError } from '../../src/errors.ts';
import { type LoadedPlugin, loadPlugin } from '../../src/manifest/load.ts';
import { readPluginFiles } from '../../src/manifest/read-files.ts';
import { VERSION } from '../../src/version.ts';
import { MINIMAL } from './sample.ts';

let base: string;
let folder: string;

beforeEach(async () => {
  base = await mkdtemp(join(tmpdir(), 'lurkbox-load-'));
  folder = join(base, 'plugin');
  await put('plugin.json', JSON.stringify(MINIMAL));
  await put('index.js', 'export const execute = () => 1;\n');
  await put('../secret', 'not meant for a plugin');
});

afterEach(async () => {
  await rm(base, { recursive: true, force: true });
});

test('loading reads the manifest, files and digest of a plugin', async () => {
  await put('lib/b.js', 'b');
  const plugin = await loadPlugin(folder);
  expect(plugin.folder).toBe(folder);
  expect(plugin.manifest.name).toBe('word-count');
  expect(plugin.files.map(({ path }) => path)).toEqual(['index.js', 'lib/b.js', 'plugin.json']);
  expect(plugin.files[1]).toEqual({ path: 'lib/b.js', sizeBytes: 1, sha256: sha256('b') });
});

test('the digest is the hash of a listing that can be reproduced', async () => {
  const { digest } = await loadPlugin(folder);
  const listing = [
    'lurkbox plugin content, version 1\n',
    `index.js\0${32}\0${sha256('export const execute = () => 1;\n')}\n`,
    `plugin.json\0${JSON.stringify(MINIMAL).length}\0${sha256(JSON.stringify(MINIMAL))}\n`,
  ];
  expect(digest).toBe(`sha256:${sha256(listing.join(''))}`);
});

test('64-bit limits in schemas are rounded like in any JSON reader', async () => {
  const limits =
    '{"properties":{"n":{"minimum":-9223372036854775808,"maximum":9223372036854775807,"default":12345678901234567890}}}';
  await put('plugin.json', JSON.stringify(MINIMAL).replace(/}$/, `,"input_schema":${limits}}`));
  const { manifest } = await loadPlugin(folder);
  expect(manifest.input_schema).toMatchObject({ properties: { n: { maximum: 2 ** 63 } } });
});

describe('the digest', () => {
  test.each<[string, () => Promise<unknown>]>([
    ['content', () => put('index.js', 'export const execute = () => 2;\n')],
    ['a name', () => put('other.js', '')],
    ['a nested file', () => put('a/b/c.txt', 'x')],
    ['the manifest', () => put('plugin.json', JSON.stringify({ ...MINIMAL, tags: ['x'] }))],
  ])('changes with %s', async (_what, change) => {
    const { digest } = await loadPlugin(folder);
    await change();
    expect((await loadPlugin(folder)).digest).not.toBe(digest);
  });

  test.each<[string, () => Promise<unknown>]>([
    ['file modes', () => chmod(join(folder, 'index.js'), 0o755)],
    ['empty folders', () => mkdir(join(folder, 'empty'))],
    ['node_modules at the top', () => put('node_modules/x/index.js', 'x')],
    ['.git at the top', () => put('.git/config', 'x')],
  ])('does not change with %s', async (_what, change) => {
    const { digest } = await loadPlugin(folder);
    await change();
    expect((await loadPlugin(folder)).digest).toBe(digest);
  });
});

test('node_modules below the top belongs to the plugin', async () => {
  await put('lib/node_modules/x.js', 'x');
  expect((await loadPlugin(folder)).files.map(({ path }) => path)).toContain('lib/node_modules/x.js');
});

test('a plugin folder can be reached through a link', async () => {
  const alias = join(base, 'alias');
  await symlink(folder, alias);
  expect(await loadPlugin(alias)).toEqual(await loadPlugin(folder));
});

test('the files of a plugin are sorted by the bytes of their names', async () => {
  for (const name of ['b.js', 'Z.js', 'a/x.js', 'a.js', 'é.js', 'a-b.js']) await put(name, '');
  const paths = (await loadPlugin(folder)).files.map(({ path }) => path);
  expect(paths).toEqual(['Z.js', 'a-b.js', 'a.js', 'a/x.js', 'b.js', 'index.js', 'plugin.json', 'é.js']);
});

describe('loading refuses', () => {
  test.each<[string, () => Promise<unknown>, string, RegExp]>([
    ['a link to a host file', () => symlink('/etc/passwd', join(folder, 'x.js')), 'x.js', /symbolic link/],
    ['a link to a file of its own', () => symlink('index.js', join(folder, 'x.js')), 'x.js', /symbolic link/],
    ['a link to a folder', () => symlink('/', join(folder, 'root')), 'root', /symbolic link/],
    ['a link to itself', () => symlink('loop', join(folder, 'loop')), 'loop', /symbolic link/],
    [
      'a file with a second name',
      () => link(join(base, 'secret'), join(folder, 'x.js')),
      'x.js',
      /another name/,
    ],
    ['a pipe', () => pipe('fifo'), 'fifo', /pipe, socket or device/],
    ['a line break in a name', () => put('a\nb.js', ''), 'a\\u000ab.js', /control/],
    ['a terminal escape in a name', () => put('a\x1b[2J.js', ''), 'a\\u001b[2J.js', /control/],
    ['a backslash in a name', () => put('a\\b.js', ''), 'a\\b.js', /backslash/],
    ['a name that turns the text around', () => put('\u202esj.x', ''), '\\u202esj.x', /invisible/],
    ['a folder with such a name', () => put('a\tb/c.js', ''), 'a\\u0009b', /control/],
    ['a name that is not UTF-8', () => putBytes(Buffer.from([0x61, 0xff])), 'a\ufffd', /UTF-8/],
    ['a sparse terabyte', () => sparse('huge.bin', 2 ** 40), '', /more than 32 MiB/],
    ['34 MiB in two files', () => twoLargeFiles(), '', /more than 32 MiB/],
    ['2001 files', () => manyFiles(2001), '', /more than 2000 files/],
    ['33 levels', () => put(`${'d/'.repeat(32)}x.js`, ''), '', /deeper than 32 levels/],
  ])('%s', async (_what, change, path, message) => {
    await change();
    expect((await failure()).problems).toContainEqual({ path, message: expect.stringMatching(message) });
  });

  test.each<[string, string | Buffer, string, RegExp]>([
    ['no JSON', '{', '', /not valid JSON/],
    ['an empty file', '', '', /got nothing/],
    ['a duplicate key', '{"name":"a","name":"b"}', 'name', /twice/],
    ['a __proto__ key', '{"__proto__":{}}', '__proto__', /not allowed/],
    ['a byte order mark', `\ufeff${JSON.stringify(MINIMAL)}`, '', /byte order mark/],
    ['bytes that are not UTF-8', Buffer.from([0x7b, 0xff, 0x7d]), '', /UTF-8/],
    ['UTF-16', Buffer.from(JSON.stringify(MINIMAL), 'utf16le'), '', /not valid JSON/],
    ['more than 256 KiB', ' '.repeat(256 * 1024 + 1), 'plugin.json', /larger than 256 KiB/],
    ['deep nesting', '['.repeat(100_000), '[0][0][0][0][0][0][0][0]', /nested deeper/],
    ['a list', '[]', '', /expected an object/],
    [
      'an integer that becomes another one',
      '{"input_schema":{"const":1234567890123456789}}',
      'input_schema.const',
      /send it as text/,
    ],
  ])('a plugin.json with %s', async (_what, content, path, message) => {
    await put('plugin.json', content);
    expect((await failure()).problems).toContainEqual({ path, message: expect.stringMatching(message) });
  });

  test('a plugin.json that is a link', async () => {
    await rm(join(folder, 'plugin.json'));
    await put('../outside.json', JSON.stringify(MINIMAL));
    await symlink('../outside.json', join(folder, 'plugin.json'));
    expect((await failure()).problems).toContainEqual({
      path: 'plugin.json',
      message: 'expected a regular file that can be read: ELOOP',
    });
  });

  test('a plugin.json that is a hard link, without showing its content', async () => {
    await rm(join(folder, 'plugin.json'));
    await link(join(base, 'secret'), join(folder, 'plugin.json'));
    const { problems } = await failure();
    expect(problems).toContainEqual({ path: 'plugin.json', message: expect.stringMatching(/hard link/) });
    expect(JSON.stringify(problems)).not.toContain('meant');
  });

  test('a plugin.json that is a pipe, without waiting for a writer', async () => {
    await rm(join(folder, 'plugin.json'));
    await pipe('plugin.json');
    expect((await failure()).problems).toContainEqual({
      path: 'plugin.json',
      message: 'expected a regular file that can be read: not a regular file',
    });
  });

  test('a folder without plugin.json', async () => {
    await rm(join(folder, 'plugin.json'));
    expect((await failure()).problems).toEqual([
      { path: 'plugin.json', message: 'is missing: a folder is a plugin by this file' },
    ]);
  });

  test.each([
    ['is not there', 'gone.js'],
    ['is a folder', 'dir.js'],
    ['lies in the node_modules that is left out', 'node_modules/x.js'],
  ])('an entry point that %s', async (_what, entry_point) => {
    await put('node_modules/x.js', '');
    await mkdir(join(folder, 'dir.js'));
    await put('plugin.json', JSON.stringify({ ...MINIMAL, entry_point }));
    expect((await failure()).problems).toEqual([
      {
        path: 'entry_point',
        message: `expected a file of the plugin folder, got "${entry_point}", which is none`,
      },
    ]);
  });

  test('an engine range without this version of lurkbox', async () => {
    await put('plugin.json', JSON.stringify({ ...MINIMAL, engines: { lurkbox: '>=999.0.0' } }));
    expect((await failure()).problems).toEqual([
      {
        path: 'engines.lurkbox',
        message: `expected a range that holds this version of lurkbox, ${VERSION}, got ">=999.0.0"`,
      },
    ]);
  });

  test('problems of the manifest and of the folder at once, naming the folder', async () => {
    await put('plugin.json', JSON.stringify({ ...MINIMAL, name: 'X', version: 'y' }));
    await symlink('/etc', join(folder, 'link'));
    const error = await failure();
    expect(error.code).toBe('MANIFEST_INVALID');
    expect(error.message).toContain(folder);
    expect(error.problems.map(({ path }) => path)).toEqual(['name', 'version', 'link']);
  });
});

test.each([
  ['does not exist', 'nowhere'],
  ['is a file', 'plugin/index.js'],
])('a plugin folder that %s is not found', async (_what, path) => {
  await expect(loadPlugin(join(base, path))).rejects.toMatchObject({ code: 'PLUGIN_NOT_FOUND' });
});

describe('readPluginFiles', () => {
  test('gives the content of every file', async () => {
    await put('empty.txt', '');
    const contents = await readAll(await loadPlugin(folder));
    expect(contents).toEqual([
      ['empty.txt', ''],
      ['index.js', 'export const execute = () => 1;\n'],
      ['plugin.json', JSON.stringify(MINIMAL)],
    ]);
  });

  test.each<[string, () => Promise<unknown>]>([
    ['has other content of the same length', () => put('index.js', 'export const execute = () => 2;\n')],
    ['is longer', () => put('index.js', 'export const execute = () => 1;\n//')],
    ['is shorter', () => truncate(join(folder, 'index.js'), 5)],
    ['is gone', () => rm(join(folder, 'index.js'))],
    ['became a link to the same content', () => replaceByLink()],
    ['became a folder', () => replaceByFolder()],
  ])('throws when a file %s', async (_what, change) => {
    const plugin = await loadPlugin(folder);
    await change();
    await expect(readAll(plugin)).rejects.toMatchObject({
      code: 'MANIFEST_INVALID',
      problems: [{ path: 'index.js', message: 'changed since the plugin was loaded; load it again' }],
    });
  });
});

async function put(path: string, content: string | Buffer): Promise<void> {
  const absolute = join(folder, path);
  await mkdir(dirname(absolute), { recursive: true });
  await writeFile(absolute, content);
}

async function putBytes(name: Buffer): Promise<void> {
  await writeFile(Buffer.concat([Buffer.from(`${folder}/`), name]), '');
}

async function pipe(path: string): Promise<void> {
  execFileSync('mkfifo', [join(folder, path)]);
}

async function sparse(path: string, sizeBytes: number): Promise<void> {
  await put(path, '');
  await truncate(join(folder, path), sizeBytes);
}

async function twoLargeFiles(): Promise<void> {
  await sparse('a.bin', 17 * 1024 * 1024);
  await sparse('b.bin', 17 * 1024 * 1024);
}

async function manyFiles(count: number): Promise<void> {
  await Promise.all(Array.from({ length: count }, (_, index) => put(`many/${index}.txt`, '')));
}

async function replaceByLink(): Promise<void> {
  await put('../copy.js', 'export const execute = () => 1;\n');
  await rm(join(folder, 'index.js'));
  await symlink('../copy.js', join(folder, 'index.js'));
}

async function replaceByFolder(): Promise<void> {
  await rm(join(folder, 'index.js'));
  await mkdir(join(folder, 'index.js'));
}

async function failure(): Promise<LurkboxError> {
  return await loadPlugin(folder).then(
    () => expect.fail('the plugin was loaded'),
    (error) => error,
  );
}

async function readAll(plugin: LoadedPlugin): Promise<[string, string][]> {
  const contents: [string, string][] = [];
  for await (const { path, content } of readPluginFiles(plugin)) contents.push([path, content.toString()]);
  return contents;
}

function sha256(content: string): string {
  return createHash('sha256').update(content).digest('hex');
}
