import { execFileSync } from 'node:child_process';
import { link, mkdir, mkdtemp, realpath, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { LurkboxError } from '../../src/errors.ts';
import { type LoadedPlugin, loadPlugin } from '../../src/manifest/load.ts';
import { readPluginFiles } from '../../src/manifest/read-files.ts';
import { MINIMAL } from './sample.ts';

let root: string;
let folder: string;

beforeEach(async () => {
  root = await realpath(await mkdtemp(join(tmpdir(), 'vendored-test-')));
  folder = join(root, 'plugin');
  await write(
    'plugin.json',
    JSON.stringify({ ...MINIMAL, entry_point: 'index.js', dependencies: 'vendored' }),
  );
  await write('index.js', '');
  await write('node_modules/a/index.js', 'a');
});
afterEach(() => rm(root, { recursive: true }));

async function write(path: string, content: string | Buffer = path): Promise<void> {
  await mkdir(dirname(join(folder, path)), { recursive: true });
  await writeFile(join(folder, path), content);
}

async function linkTo(path: string, target: string): Promise<void> {
  await mkdir(dirname(join(folder, path)), { recursive: true });
  await symlink(target, join(folder, path));
}

/** Of `node_modules`, without that name. */
function packed({ files, links }: LoadedPlugin): string[] {
  const paths = [
    ...files.map(({ path }) => path),
    ...links.map(({ path, target }) => `${path} -> ${target}`),
  ];
  return paths
    .filter((path) => path.startsWith('node_modules/'))
    .map((path) => path.slice('node_modules/'.length));
}

async function problemsOf(): Promise<readonly string[]> {
  try {
    await loadPlugin(folder);
    return [];
  } catch (error) {
    return (error as LurkboxError).problems.map(({ path, message }) => `${path}: ${message}`);
  }
}

describe('vendored packages of a plugin', () => {
  test('are part of its files and its digest, and only its own are', async () => {
    const before = await loadPlugin(folder);
    expect(packed(before)).toEqual(['a/index.js']);
    expect(before).toMatchObject({ lock: null, digest: before.content });
    await write('node_modules/a/index.js', 'other');
    expect((await loadPlugin(folder)).digest).not.toBe(before.digest);
    await write('plugin.json', JSON.stringify({ ...MINIMAL, entry_point: 'index.js' }));
    expect(packed(await loadPlugin(folder))).toEqual([]);
  });

  test('are packed without the private files of package managers', async () => {
    for (const name of [
      '.bin/tsc',
      '.cache/x',
      '.package-lock.json',
      '.modules.yaml',
      '.yarn-integrity',
      '.vite/deps/x',
    ])
      await write(`node_modules/${name}`);
    await linkTo('node_modules/.bin/a', '../a/index.js');
    await linkTo('node_modules/a/node_modules/.bin/out', '/etc/passwd');
    for (const kept of ['a/.cache/data', 'a/node_modules/b/.bin/program', '.hidden-package/index.js'])
      await write(`node_modules/${kept}`);
    expect(packed(await loadPlugin(folder))).toEqual([
      '.hidden-package/index.js',
      'a/.cache/data',
      'a/index.js',
      'a/node_modules/b/.bin/program',
    ]);
  });

  test('are not searched for the lock file of their author', async () => {
    await write('package-lock.json', 'of no interest');
    expect((await loadPlugin(folder)).lock).toBeNull();
  });

  test('are required when they are missing', async () => {
    await rm(join(folder, 'node_modules'), { recursive: true });
    expect(await problemsOf()).toEqual([expect.stringContaining('run `npm install` in the folder')]);
    await symlink('/usr/lib/node_modules', join(folder, 'node_modules'));
    expect((await problemsOf()).join()).toContain('node_modules: is a symbolic link');
  });
});

describe('a link in vendored packages', () => {
  test('to a folder stays a link, as in pnpm, and one to a file becomes that file', async () => {
    const store = 'node_modules/.pnpm';
    await rm(join(folder, 'node_modules'), { recursive: true });
    await write(`${store}/a@1.0.0/node_modules/a/index.js`, `require('b')`);
    await write(`${store}/b@1.0.0/node_modules/b/index.js`, `require('a')`);
    await linkTo('node_modules/a', '.pnpm/a@1.0.0/node_modules/a');
    await linkTo(`${store}/a@1.0.0/node_modules/b`, '../../b@1.0.0/node_modules/b');
    await linkTo(`${store}/b@1.0.0/node_modules/a`, '../../a@1.0.0/node_modules/a');
    await linkTo(`${store}/node_modules/b`, '../b@1.0.0/node_modules/b');
    await write('lib/own.js', 'own');
    await linkTo('node_modules/own.js', '../lib/own.js');
    await linkTo('node_modules/@me/lib', '../../lib/');
    const plugin = await loadPlugin(folder);
    expect(packed(plugin)).toEqual([
      '.pnpm/a@1.0.0/node_modules/a/index.js',
      '.pnpm/b@1.0.0/node_modules/b/index.js',
      'own.js',
      '.pnpm/a@1.0.0/node_modules/b -> ../../b@1.0.0/node_modules/b',
      '.pnpm/b@1.0.0/node_modules/a -> ../../a@1.0.0/node_modules/a',
      '.pnpm/node_modules/b -> ../b@1.0.0/node_modules/b',
      '@me/lib -> ../../lib',
      'a -> .pnpm/a@1.0.0/node_modules/a',
    ]);
    const contents = new Map(
      (await Array.fromAsync(readPluginFiles(plugin))).map(({ path, content }) => [path, String(content)]),
    );
    expect(contents.get('node_modules/own.js')).toBe('own');
  });

  test('gives the same digest however it is written, and another for another target', async () => {
    await write('node_modules/b/index.js', 'a');
    const digests: string[] = [];
    for (const target of ['a', './a/', '../node_modules/./a', join(folder, 'node_modules/a'), 'chain', 'b']) {
      await linkTo('node_modules/x', target);
      if (target === 'chain') await linkTo('node_modules/chain', 'a');
      const { digest } = await loadPlugin(folder);
      digests.push(digest);
      await rm(join(folder, 'node_modules/x'));
      await rm(join(folder, 'node_modules/chain'), { force: true });
    }
    const [first, ...others] = digests;
    expect(others.slice(0, 3)).toEqual([first, first, first]);
    expect(new Set(digests).size).toBe(3);
  });

  test.each([
    ['to a file of the host', '/etc/passwd', 'leads out of the plugin folder'],
    ['to a folder above', '../../..', 'leads out of the plugin folder'],
    ['out and in again', '../../plugin/index.js', 'leads out of the plugin folder'],
    ['to a folder whose name begins like the own one', '../../plugin-2/x', 'leads out of the plugin folder'],
    ['to nothing', 'gone', 'leads to nothing'],
    ['through a file', 'a/index.js/..', 'leads to nothing'],
    ['to what is left out', '.bin/a', 'leads to nothing'],
    ['to itself', 'x', 'leads in a circle'],
    ['over another one to itself', 'y', 'leads in a circle'],
    ['to a name that is no text', Buffer.from([0x61, 0xff]).toString('latin1'), 'leads to nothing'],
    ['over a way without end', 'a/../'.repeat(700), 'too long a way'],
  ])('that leads %s is refused by name', async (_, target, reason) => {
    await linkTo('node_modules/y', 'x');
    await linkTo('node_modules/.bin/a', '../a/index.js');
    await linkTo('node_modules/x', target);
    const problems = await problemsOf();
    expect(problems.find((problem) => problem.startsWith('node_modules/x: '))).toContain(reason);
  });

  test('outside of `node_modules` is refused as in every plugin', async () => {
    await linkTo('lib.js', 'index.js');
    await linkTo('src/node_modules/a', '../../node_modules/a');
    expect((await problemsOf()).map((problem) => problem.split(':')[0])).toEqual([
      'lib.js',
      'src/node_modules/a',
    ]);
  });

  test('to its own parent folder causes no endless walk', async () => {
    await linkTo('node_modules/self', '..');
    await linkTo('node_modules/a/again', '../a');
    expect(packed(await loadPlugin(folder))).toEqual(['a/index.js', 'a/again -> .', 'self -> ..']);
  });

  test('counts with the size of its file, and long chains come to an end', async () => {
    await write('node_modules/large', Buffer.alloc(1024 * 1024));
    for (let index = 0; index < 300; index++) await linkTo(`node_modules/copy-${index}`, 'large');
    expect((await problemsOf()).join()).toContain('holds more than 256 MiB');
    await rm(join(folder, 'node_modules'), { recursive: true });
    await write('node_modules/a/index.js');
    for (let index = 0; index < 100; index++) await linkTo(`node_modules/l${index}`, `l${index + 1}`);
    await linkTo('node_modules/l100', 'a');
    const startedAt = performance.now();
    expect((await problemsOf()).join()).toContain('more than 40 others');
    await rm(join(folder, 'node_modules'), { recursive: true });
    await write('node_modules/a/index.js');
    const many = 'a/../'.repeat(190);
    for (let index = 0; index < 7000; index++) await linkTo(`node_modules/many/${index}`, `../${many}a`);
    expect((await problemsOf()).join()).toContain('too long a way');
    expect(performance.now() - startedAt).toBeLessThan(20_000);
  });
});

describe('a hostile folder of packages', () => {
  test.each([
    ['a pipe', (path: string) => execFileSync('mkfifo', [path]), 'pipe, socket or device'],
    [
      'a name with a line feed',
      (path: string) => writeFile(`${path}\nb`, ''),
      'control or invisible character',
    ],
    [
      'a name that reads backwards',
      (path: string) => writeFile(`${path}\u202ecod.js`, ''),
      'control or invisible',
    ],
    [
      'a name that deletes in a layer',
      (path: string) => writeFile(join(dirname(path), '.wh.a'), ''),
      'image layer',
    ],
    [
      'a hard link to the host',
      async (path: string) => {
        await writeFile(join(root, 'of the host'), 'secret');
        await link(join(root, 'of the host'), path);
      },
      'package-import-method=copy',
    ],
    [
      'a deep tree',
      (path: string) => mkdir(`${path}${'/d'.repeat(70)}`, { recursive: true }),
      'nested deeper than 64',
    ],
    [
      'a long path',
      (path: string) => mkdir(`${path}${`/${'d'.repeat(200)}`.repeat(6)}`, { recursive: true }),
      'path of more than 1000 bytes',
    ],
  ])('with %s is refused', async (_, make, reason) => {
    await make(join(folder, 'node_modules/x'));
    expect((await problemsOf()).join()).toContain(reason);
  });

  test('with many hard links is reported once', async () => {
    for (let index = 0; index < 60; index++) {
      await writeFile(join(root, `of a store ${index}`), '');
      await link(join(root, `of a store ${index}`), join(folder, `node_modules/a/${index}`));
    }
    expect(await problemsOf()).toEqual([
      expect.stringMatching(/^node_modules\/a\/0: .*and so have 59 others there/),
    ]);
  });

  test('can have a file under two names when both are inside', async () => {
    await link(join(folder, 'node_modules/a/index.js'), join(folder, 'node_modules/a/same.js'));
    expect(packed(await loadPlugin(folder))).toEqual(['a/index.js', 'a/same.js']);
  });

  test('has its own limits, reported with the key that raises them', async () => {
    for (let index = 0; index < 2100; index++) await write(`node_modules/a/${index}`);
    expect(packed(await loadPlugin(folder))).toHaveLength(2101);
    const vendored = { maxEntries: 2000, maxBytes: 1024 * 1024 };
    const few = await loadPlugin(folder, { vendored }).catch((error) => error);
    expect(few.problems[0].message).toContain(
      'holds more than 2000 files and folders; leave out packages for developing, or raise `vendored` in the policy',
    );
    await write('node_modules/a/0', Buffer.alloc(1024 * 1024));
    const small = await loadPlugin(folder, { vendored: { ...vendored, maxEntries: 5000 } }).catch(
      (error) => error,
    );
    expect(small.problems[0].message).toContain('holds more than 1 MiB of files');
  });

  test('does not count for the limits of the plugin itself', async () => {
    await write('large', Buffer.alloc(33 * 1024 * 1024));
    expect((await problemsOf()).join()).toContain('holds more than 32 MiB');
    await rm(join(folder, 'large'));
    await write('node_modules/large', Buffer.alloc(33 * 1024 * 1024));
    const plugin = await loadPlugin(folder);
    const sizes: number[] = [];
    for await (const { path, content } of readPluginFiles(plugin))
      if (path === 'node_modules/large')
        for await (const chunk of Buffer.isBuffer(content) ? [] : content.stream) sizes.push(chunk.length);
    expect(sizes.reduce((sum, size) => sum + size, 0)).toBe(33 * 1024 * 1024);
  });

  test('that changes while it is packed is refused', async () => {
    await write('node_modules/large', Buffer.alloc(33 * 1024 * 1024));
    const plugin = await loadPlugin(folder);
    await write('node_modules/large', Buffer.alloc(33 * 1024 * 1024, 1));
    const reading = (async () => {
      for await (const { content } of readPluginFiles(plugin))
        for await (const _ of Buffer.isBuffer(content) ? [] : content.stream);
    })();
    await expect(reading).rejects.toMatchObject({ problems: [{ path: 'node_modules/large' }] });
  });
});
