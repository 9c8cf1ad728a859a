import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { gzipSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { installDependencies } from '../../src/image/dependencies.ts';
import { measureFolder } from '../../src/image/disk-watch.ts';
import { HostPrograms } from '../../src/image/host-programs.ts';
import { lockDependencies } from '../../src/image/lock-packages.ts';
import { PackageStore } from '../../src/image/package-store.ts';
import { PACKAGE_LIMITS } from '../../src/image/unpack-packages.ts';
import { almostZeros, type NpmRegistry, packEntries, startNpmRegistry } from '../helpers/npm-registry.ts';

let root: string;
let registry: NpmRegistry;
let installs = 0;
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'fetch-and-unpack-'));
  registry = await startNpmRegistry();
});
afterEach(async () => {
  await registry[Symbol.asyncDispose]();
  await rm(root, { recursive: true });
});

/** What an image would get, as text by path. */
async function install(dependencies: readonly string[], store = new PackageStore(null)) {
  const folder = join(root, `install-${installs++}`);
  await mkdir(folder);
  const programs = new HostPrograms({ ...process.env, ...registry.env });
  await mkdir(join(folder, 'lock'));
  const lock = await lockDependencies(dependencies, { folder: join(folder, 'lock'), programs });
  await rm(join(folder, 'lock'), { recursive: true });
  const place = { folder, architecture: 'amd64' as const, programs, store };
  const entries = await installDependencies({ dependencies, lock }, place);
  const files: Record<string, string> = {};
  for await (const entry of entries) {
    if (entry.type !== 'file' || Buffer.isBuffer(entry.content) || !('stream' in entry.content))
      throw new Error('expected a streamed file');
    files[entry.path] = (await buffer(entry.content.stream)).toString();
  }
  return files;
}

const refused = (message: string | RegExp) => ({
  name: 'LurkboxError',
  code: 'DEPENDENCY_FAILED',
  message: expect.stringMatching(message),
});

describe('packages of a plugin', () => {
  test('are installed with their dependencies, where npm would put them', { timeout: 60_000 }, async () => {
    await registry.publish({
      name: 'a',
      manifest: { dependencies: { b: '^1.0.0', '@s/c': '1' } },
      files: { 'index.js': 'a' },
    });
    await registry.publish({ name: 'b', version: '1.5.0', files: { 'lib/b.js': 'b1' } });
    await registry.publish({ name: 'b', version: '2.0.0', files: { 'lib/b.js': 'b2' } });
    await registry.publish({ name: '@s/c', files: { 'c.js': 'c' } });
    const files = await install(['a@1.0.0', 'b@2']);
    expect(
      Object.fromEntries(Object.entries(files).filter(([path]) => !path.endsWith('package.json'))),
    ).toEqual({
      'node_modules/@s/c/c.js': 'c',
      'node_modules/a/index.js': 'a',
      'node_modules/a/node_modules/b/lib/b.js': 'b1',
      'node_modules/b/lib/b.js': 'b2',
    });
  });

  test('for other platforms are left out if optional, and refused otherwise', {
    timeout: 60_000,
  }, async () => {
    await registry.publish({ name: 'for-windows', manifest: { os: ['win32'] } });
    await registry.publish({ name: 'not-linux', manifest: { os: ['!linux'] } });
    await registry.publish({ name: 'for-linux', manifest: { os: ['linux'], cpu: ['x64'], libc: 'glibc' } });
    const optionalDependencies = { 'for-windows': '1', 'not-linux': '1', 'for-linux': '1' };
    await registry.publish({ name: 'native', manifest: { optionalDependencies } });
    expect(Object.keys(await install(['native@1']))).toEqual([
      'node_modules/for-linux/package.json',
      'node_modules/native/package.json',
    ]);
    await expect(install(['not-linux@1'])).rejects.toMatchObject(refused('not-linux'));
  });

  test('with equal file names are not confused', { timeout: 60_000 }, async () => {
    await registry.publish({ name: '@a/b-c', files: { 'x.js': 'one' } });
    await registry.publish({ name: '@a-b/c', files: { 'x.js': 'two' } });
    await registry.publish({ name: 'a-b-c', files: { 'x.js': 'three' } });
    expect(await install(['@a/b-c@1', '@a-b/c@1', 'a-b-c@1'])).toMatchObject({
      'node_modules/@a/b-c/x.js': 'one',
      'node_modules/@a-b/c/x.js': 'two',
      'node_modules/a-b-c/x.js': 'three',
    });
  });

  test('that are stored are not fetched again, unless the stored file was changed', {
    timeout: 60_000,
  }, async () => {
    await registry.publish({ name: 'a', files: { 'index.js': 'a' } });
    const store = new PackageStore(root);
    const first = await install(['a@1'], store);
    const fetched = () => registry.requests.filter((path) => path.endsWith('.tgz')).length;
    expect(fetched()).toBe(1);
    expect(await install(['a@1'], store)).toEqual(first);
    expect(fetched()).toBe(1);
    const [kept = ''] = await readdir(join(root, 'packages'));
    await writeFile(join(root, 'packages', kept), 'something else');
    expect(await install(['a@1'], store)).toEqual(first);
    expect(fetched()).toBe(2);
  });
});

describe('a hostile package stays within its limits: (P10)', { timeout: 120_000 }, () => {
  test('one with too large files, which is found before unpacking (P10)', async () => {
    const entries = [200, 200].map(
      (megabytes, index) => [{ name: `package/${index}` }, almostZeros(megabytes)] as const,
    );
    const json = { name: 'bomb', version: '1.0.0' };
    await registry.publish({
      name: 'bomb',
      tarball: await packEntries([[{ name: 'package/package.json' }, JSON.stringify(json)], ...entries]),
    });
    let most = 0;
    const watch = setInterval(async () => {
      most = Math.max(most, (await measureFolder(root, { bytes: 2 ** 40, entries: 2 ** 40 })).bytes);
    }, 20);
    await expect(install(['bomb@1'])).rejects.toMatchObject(refused('larger than 256 MB'));
    clearInterval(watch);
    expect(most).toBeLessThan(16 * 1024 * 1024);
  });

  test('many packages that are too large together (P10)', async () => {
    const names = Array.from({ length: 10 }, (_, index) => `part-${index}`);
    for (const name of names) await registry.publish({ name, files: { 'data.bin': almostZeros(30) } });
    await expect(install(names.map((name) => `${name}@1`))).rejects.toMatchObject(
      refused('larger than 256 MB'),
    );
  });

  test.each([
    ['files', (index: number) => ({ name: `package/f/${index}` })],
    [
      'folders of their own',
      (index: number) => ({ name: `package/${Math.floor(index / 10)}/b/c/d/e/f/g/${index}` }),
    ],
    ['links', (index: number) => ({ name: `package/l${index}`, type: 'symlink' as const, linkname: 'x' })],
  ])('one with very many %s (P10)', async (_, header) => {
    const entries = Array.from({ length: PACKAGE_LIMITS.files + 1 }, (_, index) => [header(index)] as const);
    await registry.publish({
      name: 'many',
      tarball: await packEntries([[{ name: 'package/package.json' }, '{}'], ...entries]),
    });
    await expect(install(['many@1'])).rejects.toMatchObject(refused('more than 20000 files and folders'));
  });

  test.each([
    ['a deep path', `package/${'d/'.repeat(100)}f`, 'longer than 1000 bytes or 64 folders'],
    ['a long path', `package/${'d'.repeat(200)}/${'e'.repeat(900)}`, 'longer than 1000 bytes or 64 folders'],
    ['a path that leads out', 'package/../../../../etc/passwd', 'leads out of it'],
    ['a path that layers reserve', 'package/.wh.node', 'layers reserve'],
  ])('one with %s (P10)', async (_, name, message) => {
    await registry.publish({
      name: 'odd',
      tarball: await packEntries([
        [{ name: 'package/package.json' }, '{}'],
        [{ name }, 'x'],
      ]),
    });
    await expect(install(['odd@1'])).rejects.toMatchObject(refused(message));
  });

  test('one that has a file and a folder of one name (P10)', async () => {
    await registry.publish({
      name: 'odd',
      tarball: await packEntries([
        [{ name: 'package/a' }, 'x'],
        [{ name: 'package/a/b' }, 'y'],
      ]),
    });
    await expect(install(['odd@1'])).rejects.toMatchObject(refused('both a file and a folder'));
  });

  test('one that is not a tarball (P10)', async () => {
    await registry.publish({ name: 'odd', tarball: gzipSync(Buffer.alloc(4096, 'x')) });
    await expect(install(['odd@1'])).rejects.toMatchObject(refused('odd'));
  });

  test('a tarball that never ends (P10)', async () => {
    const chunk = Buffer.alloc(4 * 1024 * 1024, 'x');
    await registry.publish({
      name: 'endless',
      serve: (response) => {
        const send = () => {
          while (!response.destroyed && response.write(chunk));
        };
        response.on('drain', send);
        send();
      },
    });
    let most = 0;
    const watch = setInterval(async () => {
      most = Math.max(most, (await measureFolder(root, { bytes: 2 ** 40, entries: 2 ** 40 })).bytes);
    }, 20);
    await expect(install(['endless@1'])).rejects.toMatchObject(refused(/npm/));
    clearInterval(watch);
    expect(most).toBeLessThan(300 * 1024 * 1024);
  });

  test('an endless list of versions (P10)', async () => {
    const dependencies = Object.fromEntries(
      Array.from({ length: 12 }, (_, index) => [`large-${index}`, '1']),
    );
    for (const name of Object.keys(dependencies))
      await registry.publish({ name, manifest: { readme: 'x'.repeat(40 * 1024 * 1024) } });
    await expect(install(Object.keys(dependencies).map((name) => `${name}@1`))).rejects.toMatchObject(
      refused(/npm/),
    );
  });
});
