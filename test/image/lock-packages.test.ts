import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { installDependencies } from '../../src/image/dependencies.ts';
import { HostPrograms } from '../../src/image/host-programs.ts';
import { lockDependencies } from '../../src/image/lock-packages.ts';
import { PackageStore } from '../../src/image/package-store.ts';
import { parseLock, toLockText } from '../../src/manifest/package-lock.ts';
import { type NpmRegistry, startNpmRegistry } from '../helpers/npm-registry.ts';

let parent: string;
let registry: NpmRegistry;
let folders = 0;

beforeEach(async () => {
  parent = await mkdtemp(join(tmpdir(), 'dependencies-test-'));
  registry = await startNpmRegistry();
});
afterEach(async () => {
  await registry[Symbol.asyncDispose]();
  await rm(parent, { recursive: true });
});

async function newFolder(): Promise<string> {
  const folder = join(parent, `install-${folders++}`);
  await mkdir(folder);
  return folder;
}

async function lock(...dependencies: string[]): Promise<string> {
  return lockDependencies(dependencies, { folder: await newFolder(), programs: programs() });
}

/** The paths of files, and what is in them. */
async function install(
  dependencies: string[],
  text: string,
  {
    architecture = 'amd64',
    store = new PackageStore(null),
  }: { architecture?: 'amd64' | 'arm64'; store?: PackageStore } = {},
): Promise<Record<string, string>> {
  const place = { folder: await newFolder(), architecture, programs: programs(), store };
  const files: Record<string, string> = {};
  for await (const entry of await installDependencies({ dependencies, lock: text }, place)) {
    if (entry.type !== 'file' || Buffer.isBuffer(entry.content) || !('stream' in entry.content))
      throw new Error('expected a streamed file');
    files[entry.path] = (await buffer(entry.content.stream)).toString();
  }
  return files;
}

const programs = (env = registry.env) => new HostPrograms({ ...process.env, ...env });

interface Details {
  readonly json?: object;
  readonly told?: object;
  readonly dist?: object;
  readonly files?: Record<string, string>;
}

async function publish(name: string, version = '1.0.0', details: Details = {}, to = registry): Promise<void> {
  const {
    json: manifest = {},
    files = { 'index.js': `module.exports = '${name}@${version}';` },
    ...more
  } = details;
  await to.publish({ name, version, manifest, files, ...more });
}

function versionsOf(text: string): Record<string, string> {
  const { packages } = parseLock(text);
  return Object.fromEntries(Object.entries(packages).map(([place, { version }]) => [place, version]));
}

describe('a lock of npm packages', { timeout: 60_000 }, () => {
  test('decides what is installed, whatever is published later', async () => {
    await publish('deep', '1.0.0');
    await publish('direct', '1.0.0', { json: { dependencies: { deep: '^1.0.0' } } });
    const text = await lock('direct@^1.0.0');
    const before = await install(['direct@^1.0.0'], text);

    await publish('deep', '1.1.0');
    await publish('direct', '1.2.0');
    expect(await install(['direct@^1.0.0'], text)).toEqual(before);
    expect(versionsOf(text)).toEqual({ 'node_modules/direct': '1.0.0', 'node_modules/deep': '1.0.0' });
    expect(versionsOf(await lock('direct@^1.0.0'))).toEqual({ 'node_modules/direct': '1.2.0' });
  });

  test('is the same text from every registry, at any time', async () => {
    await publish('a', '1.0.0', { json: { dependencies: { b: '*' }, engines: { node: '>=18' } } });
    await publish('b', '1.0.0', { json: { bin: 'index.js', license: 'MIT' } });
    const text = await lock('a@1', 'b@1');
    await using mirror = await startNpmRegistry();
    await publish('b', '1.0.0', { json: { bin: 'index.js', license: 'MIT' } }, mirror);
    await publish('a', '1.0.0', { json: { dependencies: { b: '*' }, engines: { node: '>=18' } } }, mirror);
    const place = { folder: await newFolder(), programs: programs(mirror.env) };
    expect(await lockDependencies(['b@1', 'a@1'], place)).toBe(text);
    expect(text).not.toContain('127.0.0.1');
    expect(toLockText(parseLock(text))).toBe(text);
  });

  test('refuses the same version with other bytes', async () => {
    await publish('changed', '1.0.0');
    const text = await lock('changed@1.0.0');
    await publish('changed', '1.0.0', { files: { 'index.js': 'module.exports = "other bytes";' } });
    await expect(install(['changed@1.0.0'], text)).rejects.toMatchObject({
      code: 'DEPENDENCY_FAILED',
      message: expect.stringContaining('another content'),
    });
  });

  test('refuses other bytes even of an optional package', async () => {
    await publish('extra', '1.0.0');
    await publish('main', '1.0.0', { json: { optionalDependencies: { extra: '1.0.0' } } });
    const text = await lock('main@1');
    await publish('extra', '1.0.0', { files: { 'index.js': 'module.exports = "other bytes";' } });
    await expect(install(['main@1'], text)).rejects.toMatchObject({ code: 'DEPENDENCY_FAILED' });
    registry.remove('extra');
    await expect(install(['main@1'], text)).rejects.toMatchObject({ code: 'DEPENDENCY_FAILED' });
  });

  test('refuses other bytes that a registry calls the locked ones', async () => {
    await publish('lied', '1.0.0');
    const text = await lock('lied@1.0.0');
    const { integrity } = parseLock(text).packages['node_modules/lied']!;
    await publish('lied', '1.0.0', { files: { 'index.js': 'lie' }, dist: { integrity } });
    await expect(install(['lied@1.0.0'], text)).rejects.toMatchObject({ code: 'DEPENDENCY_FAILED' });
  });

  test('installs nothing that the registry adds only at the installation', async () => {
    await publish('evil', '1.0.0');
    await publish('quiet', '1.0.0');
    const text = await lock('quiet@1');
    const before = await install(['quiet@1'], text);
    await publish('quiet', '1.0.0', {
      told: {
        dependencies: { evil: '*' },
        optionalDependencies: { evil: '*' },
        bundleDependencies: ['evil'],
        _hasShrinkwrap: true,
        scripts: { install: 'touch pwned' },
      },
    });
    expect(await install(['quiet@1'], text)).toEqual(before);
  });

  test('has the packages of every platform, and installs those of one', async () => {
    const addon = (suffix: string, json: object) =>
      publish(`addon-${suffix}`, '1.0.0', { json: { ...json } });
    await addon('x64', { os: ['linux'], cpu: ['x64'], libc: ['glibc'] });
    await addon('arm64', { os: ['linux'], cpu: ['arm64'], dependencies: { helper: '1' } });
    await addon('musl', { os: ['linux'], cpu: ['x64'], libc: ['musl'] });
    await addon('mac', { os: ['darwin'], dependencies: { helper: '1' } });
    await addon('no-linux', { os: ['!linux'] });
    await publish('helper', '1.0.0');
    const names = ['x64', 'arm64', 'musl', 'mac', 'no-linux'].map((suffix) => [`addon-${suffix}`, '1.0.0']);
    await publish('native', '1.0.0', { json: { optionalDependencies: Object.fromEntries(names) } });
    const text = await lock('native@1');
    expect(Object.keys(versionsOf(text)).sort()).toEqual(
      [...names.map(([name]) => `node_modules/${name}`), 'node_modules/helper', 'node_modules/native'].sort(),
    );
    const packagesOf = async (architecture: 'amd64' | 'arm64') =>
      Object.keys(await install(['native@1'], text, { architecture }))
        .filter((path) => path.endsWith('package.json'))
        .map((path) => path.split('/')[1]);
    expect(await packagesOf('amd64')).toEqual(['addon-x64', 'native']);
    expect(await packagesOf('arm64')).toEqual(['addon-arm64', 'helper', 'native']);
  });

  test('treats packages packed in a package as part of it', async () => {
    await publish('outside', '1.0.0');
    await publish('packed', '2.0.0');
    await publish('carrier', '1.0.0', {
      json: { dependencies: { packed: '1.0.0' }, bundleDependencies: ['packed'] },
      files: {
        'index.js': 'module.exports = require("packed");',
        'node_modules/packed/package.json': JSON.stringify({
          name: 'packed',
          version: '1.0.0',
          dependencies: { outside: '1' },
        }),
        'node_modules/packed/index.js': 'module.exports = "packed inside";',
      },
    });
    const text = await lock('carrier@1', 'packed@2');
    expect(versionsOf(text)).toMatchObject({
      'node_modules/carrier': '1.0.0',
      'node_modules/packed': '2.0.0',
    });
    const files = await install(['carrier@1', 'packed@2'], text);
    expect(files['node_modules/carrier/node_modules/packed/index.js']).toContain('packed inside');
    expect(files['node_modules/packed/index.js']).toContain('packed@2.0.0');
  });

  test('has several versions of a package, each where it is needed, under any name', async () => {
    for (const version of ['1.0.0', '2.0.0', '3.0.0-beta.1']) await publish('shared', version);
    await publish('old', '1.0.0', { json: { dependencies: { shared: '^1.0.0' } } });
    await publish('new', '1.0.0', {
      json: { dependencies: { shared: '3.0.0-beta.1', 'shared-two': 'npm:shared@^2.0.0' } },
    });
    const dependencies = ['old@1', 'new@1'];
    const text = await lock(...dependencies);
    const files = await install(dependencies, text);
    const found = Object.entries(files).flatMap(([path, content]) =>
      path.endsWith('shared/index.js') || path.endsWith('shared-two/index.js') ? [content] : [],
    );
    expect(found.map((content) => /'(.*)'/.exec(content)?.[1]).sort()).toEqual([
      'shared@1.0.0',
      'shared@2.0.0',
      'shared@3.0.0-beta.1',
    ]);
    expect(parseLock(text).packages['node_modules/shared-two']?.name).toBe('shared');
  });

  test('has the peers that npm adds, and packages that need each other', async () => {
    await publish('host', '1.0.0', { json: { dependencies: { guest: '1' } } });
    await publish('guest', '1.0.0', { json: { peerDependencies: { host: '1', framework: '>=2' } } });
    await publish('framework', '2.0.0');
    const text = await lock('guest@1');
    expect(Object.keys(await install(['guest@1'], text))).toContain('node_modules/framework/index.js');
  });

  test('of a package without a usable hash is not made', async () => {
    const integrity = `sha1-${Buffer.alloc(20).toString('base64')}`;
    await publish('weak', '1.0.0', { dist: { integrity } });
    await expect(lock('weak@1')).rejects.toMatchObject({
      code: 'DEPENDENCY_FAILED',
      message: expect.stringContaining('sha512'),
    });
  });

  test('of a package that brings its own lock file is not made', async () => {
    await publish('wrapped', '1.0.0', { told: { _hasShrinkwrap: true } });
    await expect(lock('wrapped@1')).rejects.toMatchObject({
      message: expect.stringContaining('npm-shrinkwrap.json'),
    });
  });

  test.each([
    ['a git address', 'git+ssh://git@127.0.0.1:9/evil.git'],
    ['a GitHub shorthand', 'github:evil/evil'],
    ['a tarball address', 'http://127.0.0.1:9/evil.tgz'],
    ['a folder of this host', 'file:../evil'],
  ])('is not made where a package deep inside names %s', async (_, address) => {
    await publish('innocent', '1.0.0', { json: { dependencies: { evil: address } } });
    await expect(lock('innocent@1')).rejects.toMatchObject({ code: 'DEPENDENCY_FAILED' });
  });

  test('is installed without a network once its packages are stored', async () => {
    await publish('cached', '1.0.0');
    const text = await lock('cached@1');
    const store = new PackageStore(parent);
    const before = await install(['cached@1'], text, { store });
    await registry[Symbol.asyncDispose]();
    expect(await install(['cached@1'], text, { store })).toEqual(before);
    await expect(install(['cached@1'], text)).rejects.toMatchObject({
      code: 'DEPENDENCY_FAILED',
      message: expect.stringMatching(/registry could not be reached/),
    });
  });

  test('of unreachable packages is not made, with what to do', async () => {
    await registry[Symbol.asyncDispose]();
    await expect(lock('cached@1')).rejects.toMatchObject({
      code: 'DEPENDENCY_FAILED',
      message: expect.stringMatching(/registry.*reached/s),
    });
  });

  test('of another plugin is refused', async () => {
    await publish('one', '1.0.0');
    const text = await lock('one@1');
    await expect(install(['one@2'], text)).rejects.toMatchObject({
      message: expect.stringContaining('other packages'),
    });
    await expect(install(['two@1'], text)).rejects.toMatchObject({
      message: expect.stringContaining('other packages'),
    });
    await expect(install(['one@1'], text.replace('{', '{ '))).rejects.toMatchObject({
      message: expect.stringContaining('cannot be read'),
    });
  });
});

// The manifest takes none of these; here npm itself is asked, as a package deep in a tree could.
describe('a dependency that is not from the registry is refused', () => {
  test.each([
    ['a git address', 'evil@git+file:///tmp/evil.git'],
    ['a GitHub shorthand', 'evil@github:evil/evil'],
    ['an ssh address', 'evil@git+ssh://git@127.0.0.1:9/evil.git'],
    ['a tarball address', 'evil@http://127.0.0.1:9/evil.tgz'],
    ['a folder of this host', 'evil@file:../evil'],
    ['a linked folder of this host', 'evil@link:../evil'],
    ['a file that is no package', 'evil@file:/etc/passwd'],
  ])('%s', { timeout: 60_000 }, async (_, dependency) => {
    await mkdir(join(parent, 'evil'));
    const manifest = { name: 'evil', version: '1.0.0', scripts: { preinstall: 'touch ../pwned' } };
    await writeFile(join(parent, 'evil/package.json'), JSON.stringify(manifest));
    await expect(lock(dependency)).rejects.toMatchObject({
      name: 'LurkboxError',
      code: 'DEPENDENCY_FAILED',
      message: expect.stringContaining(dependency),
    });
    expect(existsSync(join(parent, 'pwned'))).toBe(false);
  });
});

test('locking ends when its signal aborts', async () => {
  const reason = new Error('no longer wanted');
  const locking = lockDependencies(['zod@4'], {
    folder: await newFolder(),
    programs: programs(),
    signal: AbortSignal.abort(reason),
  });
  await expect(locking).rejects.toBe(reason);
});
