import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, readdir, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { promisify } from 'node:util';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { createLurkbox, type Lurkbox, type LurkboxOptions } from '../../../src/index.ts';
import { identityOf } from '../../../src/manifest/digest.ts';
import { checksumOfVersion } from '../../../src/versions/registry/row-checksum.ts';
import { type NpmRegistry, startNpmRegistry } from '../../helpers/npm-registry.ts';
import { MINIMAL } from '../../manifest/sample.ts';

let root: string;
let registry: NpmRegistry;

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'package-locks-test-'));
  registry = await startNpmRegistry({ name: 'padder' }, { name: 'other' });
});
afterEach(async () => {
  await registry[Symbol.asyncDispose]();
  await rm(root, { recursive: true });
});

/** A workspace of that name; there is no engine. */
async function open(workspace = 'here', options: LurkboxOptions = {}): Promise<Lurkbox> {
  const workspaceRoot = join(root, workspace);
  await mkdir(workspaceRoot, { recursive: true });
  const env = { ...process.env, ...registry.env, DOCKER_HOST: 'unix:///nonexistent/docker.sock' };
  return createLurkbox({ workspaceRoot, policy: {}, maxWarm: 0, env, ...options });
}

async function writePlugin(
  folder: string,
  { manifest = {}, code = '' }: { manifest?: object; code?: string } = {},
): Promise<string> {
  const path = join(root, folder);
  await mkdir(path, { recursive: true });
  const document = {
    ...MINIMAL,
    name: 'one',
    entry_point: 'index.js',
    dependencies: ['padder@^1.0.0'],
    ...manifest,
  };
  await writeFile(join(path, 'plugin.json'), JSON.stringify(document));
  await writeFile(join(path, 'index.js'), code);
  return path;
}

const newest = (lurkbox: Lurkbox) => lurkbox.registry.get('one')!.versions[0]!;
const pinnedTo = (digest: string) => ({ policy: { plugins: { one: { digest } } } });

describe('a plugin with npm packages', { timeout: 60_000 }, () => {
  test('is listed without asking npm, and not locked by that', async () => {
    await writePlugin('here/plugins/one');
    await using lurkbox = await open();
    const { failed } = await lurkbox.plugins.discoverAndLoadAll(lurkbox.workspaceRoot);
    expect(failed).toEqual([]);
    expect(registry.requests).toEqual([]);
    const { lock, digest, content, state } = newest(lurkbox);
    expect({ lock, state }).toEqual({ lock: null, state: 'ENABLED' });
    expect(digest).not.toBe(content);
    expect(lurkbox.plugins.getOrThrow('one').plugin.lock).toBeNull();
  });

  test('is locked when it is loaded, and its digest covers the lock', async () => {
    const folder = await writePlugin('one');
    await using lurkbox = await open();
    const { plugin } = await lurkbox.plugins.loadPlugin(folder);
    expect(plugin.lock).toContain('node_modules/padder');
    expect(plugin.digest).not.toBe(plugin.content);
    const asked = registry.requests.length;
    expect((await lurkbox.plugins.loadPlugin(folder)).plugin).toEqual(plugin);
    expect(registry.requests.length).toBe(asked);
    const copies = await readdir(join(root, 'here/.lurkbox/plugins/one/1.0.0'));
    expect(copies).toEqual([plugin.content.slice('sha256:'.length)]);
  });

  test('is locked by its first call, which then goes on', async () => {
    await writePlugin('here/plugins/one');
    await using lurkbox = await open();
    await lurkbox.plugins.discoverAndLoadAll(lurkbox.workspaceRoot);
    const results = await Promise.all([1, 2, 3].map(() => lurkbox.plugins.executePlugin('one', {})));
    const { digest, lock } = newest(lurkbox);
    expect(lock).not.toBeNull();
    expect(results.map((result) => [result.outcome, result.digest])).toEqual(
      results.map(() => ['ENGINE_UNAVAILABLE', digest]),
    );
    expect(registry.requests.filter((path) => path === 'padder')).toHaveLength(1);
  });

  test('whose packages cannot be reached has one outcome, and is tried again', async () => {
    await writePlugin('here/plugins/one', { manifest: { dependencies: ['missing@1'] } });
    await using lurkbox = await open();
    await lurkbox.plugins.discoverAndLoadAll(lurkbox.workspaceRoot);
    expect(await lurkbox.plugins.executePlugin('one', {})).toMatchObject({
      outcome: 'IMAGE_MISSING',
      error: { code: 'DEPENDENCY_FAILED' },
    });
    await registry.publish({ name: 'missing' });
    // Not by every call, but by whoever wants it.
    await lurkbox.plugins.lockPackages('one');
    expect(await lurkbox.plugins.executePlugin('one', {})).toMatchObject({ outcome: 'ENGINE_UNAVAILABLE' });
  });

  test('has its call cancelled when the caller leaves while npm resolves', async () => {
    await writePlugin('here/plugins/one');
    await using lurkbox = await open();
    await lurkbox.plugins.discoverAndLoadAll(lurkbox.workspaceRoot);
    const signal = AbortSignal.timeout(5);
    expect(await lurkbox.plugins.executePlugin('one', {}, { signal })).toMatchObject({
      outcome: 'CANCELLED',
    });
    expect(newest(lurkbox).lock).toBeNull();
  });

  test('keeps its lock after an edit only if the dependencies stay the same', async () => {
    const folder = await writePlugin('one');
    await using lurkbox = await open();
    const { plugin: first } = await lurkbox.plugins.loadPlugin(folder);
    await registry.publish({ name: 'padder', version: '1.1.0' });
    await writePlugin('one', { code: '// edited' });
    const { plugin: edited } = await lurkbox.plugins.loadPlugin(folder);
    expect(edited.lock).toBe(first.lock);
    expect(edited.digest).not.toBe(first.digest);
    await writePlugin('one', { manifest: { version: '1.0.1', dependencies: ['other@1', 'padder@^1.0.0'] } });
    const { plugin: changed } = await lurkbox.plugins.loadPlugin(folder);
    expect(changed.lock).toContain('"1.1.0"');
  });

  test('is locked anew after it was unloaded', async () => {
    const folder = await writePlugin('one');
    await using lurkbox = await open();
    const { plugin: first } = await lurkbox.plugins.loadPlugin(folder);
    await registry.publish({ name: 'padder', version: '1.1.0' });
    await lurkbox.plugins.unloadPlugin('one');
    const { plugin: again } = await lurkbox.plugins.loadPlugin(folder);
    expect(again.content).toBe(first.content);
    expect(again.digest).not.toBe(first.digest);
  });

  test('with extra permissions gets consent only after it is locked', async () => {
    const folder = await writePlugin('here/plugins/one', { manifest: { dependencies: [] } });
    await using lurkbox = await open('here', { policy: { allow: { bridge: true } } });
    await lurkbox.plugins.loadPlugin(folder);
    await writePlugin('here/plugins/one', { manifest: { version: '2.0.0', permissions: { network: true } } });
    await lurkbox.plugins.discoverAndLoadAll(lurkbox.workspaceRoot);
    const { digest } = newest(lurkbox);
    expect(() => lurkbox.plugins.consent('one@2.0.0', { digest })).toThrow(/not locked yet/);
    const locked = await lurkbox.plugins.lockPackages('one@2.0.0');
    expect(() => lurkbox.plugins.consent('one@2.0.0', { digest })).toThrow(/digest/);
    lurkbox.plugins.consent('one@2.0.0', { digest: locked.digest });
    expect(lurkbox.plugins.get('one')?.version).toBe('2.0.0');
  });

  test('keeps the consent of its first installation when it is locked', async () => {
    await writePlugin('here/plugins/one', { manifest: { permissions: { network: true } } });
    await using lurkbox = await open('here', { policy: { allow: { bridge: true } } });
    await lurkbox.plugins.discoverAndLoadAll(lurkbox.workspaceRoot);
    await lurkbox.plugins.lockPackages('one');
    expect(lurkbox.plugins.missingConsent('one')).toEqual([]);
    const { consents } = lurkbox.registry.get('one')!;
    expect(consents.map(({ digest }) => digest)).toEqual([newest(lurkbox).digest]);
  });

  test('is activated, rolled back and run as a canary with its lock', async () => {
    const [first, second] = [
      await writePlugin('one'),
      await writePlugin('two', { manifest: { version: '2.0.0' } }),
    ];
    await using lurkbox = await open();
    await lurkbox.plugins.loadPlugin(first);
    await lurkbox.plugins.loadPlugin(second, { activate: 'ifNone' });
    await lurkbox.plugins.activatePlugin('one@2.0.0');
    expect(lurkbox.plugins.rollbackPlugin('one').version).toBe('1.0.0');
    expect(lurkbox.registry.get('one')!.versions.every(({ lock }) => lock !== null)).toBe(true);
  });

  test('is locked in memory when nothing is stored', async () => {
    const folder = await writePlugin('one');
    await using lurkbox = await open('here', { persist: false });
    const { plugin } = await lurkbox.plugins.loadPlugin(folder);
    expect(plugin.lock).not.toBeNull();
    expect(await lurkbox.plugins.executePlugin('one', {})).toMatchObject({ digest: plugin.digest });
  });
});

describe("a plugin with its author's lock file", { timeout: 60_000 }, () => {
  /** As npm makes it in the folder of an author, from a registry that is gone afterwards. */
  async function lockAsAuthor(
    folder: string,
    dependencies: object,
    file = 'package-lock.json',
  ): Promise<void> {
    await using own = await startNpmRegistry({ name: 'padder' }, { name: 'tool' });
    const content = { name: 'author', version: '1.0.0', dependencies, devDependencies: { tool: '1' } };
    await writeFile(join(folder, 'package.json'), JSON.stringify(content));
    await promisify(execFile)('npm', ['install', '--package-lock-only', '--no-audit'], {
      cwd: folder,
      env: { ...process.env, ...own.env, npm_config_cache: join(root, 'npm-cache') },
    });
    if (file !== 'package-lock.json') await rename(join(folder, 'package-lock.json'), join(folder, file));
  }

  test.each(['package-lock.json', 'npm-shrinkwrap.json'])(
    'is locked by %s as soon as it is read, and npm is not asked',
    async (file) => {
      const folder = await writePlugin('here/plugins/one');
      await lockAsAuthor(folder, { padder: '^1.0.0' }, file);
      await registry.publish({ name: 'padder', version: '1.1.0' });
      await using lurkbox = await open();
      expect((await lurkbox.plugins.discoverAndLoadAll(lurkbox.workspaceRoot)).failed).toEqual([]);
      const { lock, digest } = newest(lurkbox);
      expect(lock).toContain(`"source":"${file}"`);
      expect(lock).toMatch(/"node_modules\/padder":\{"version":"1\.0\.0"/);
      expect(lock).not.toContain('tool');
      expect(await lurkbox.plugins.lockPackages('one')).toMatchObject({ digest });
      expect(await lurkbox.plugins.executePlugin('one', {})).toMatchObject({
        outcome: 'ENGINE_UNAVAILABLE',
        digest,
      });
      expect(registry.requests).toEqual([]);
    },
  );

  test('is refused when the file disagrees with `dependencies`, with what to do', async () => {
    const folder = await writePlugin('one', { manifest: { dependencies: ['padder@^2.0.0', 'other@1'] } });
    await lockAsAuthor(folder, { padder: '^1.0.0' });
    await using lurkbox = await open();
    await expect(lurkbox.plugins.loadPlugin(folder)).rejects.toMatchObject({
      code: 'MANIFEST_INVALID',
      problems: [
        {
          path: 'package-lock.json',
          message: expect.stringContaining('has 1.0.0 of it; run `npm install padder@^2.0.0`'),
        },
        {
          path: 'package-lock.json',
          message: expect.stringContaining('`other@1`, which is not in the lock file'),
        },
      ],
    });
    expect(registry.requests).toEqual([]);
  });

  test('without `dependencies` in plugin.json has no packages', async () => {
    const folder = await writePlugin('one', { manifest: { dependencies: [] } });
    await writeFile(join(folder, 'package-lock.json'), 'of no interest');
    await using lurkbox = await open();
    const { plugin } = await lurkbox.plugins.loadPlugin(folder);
    expect(plugin).toMatchObject({ digest: plugin.content, lock: null });
  });

  test('gets a new lock with another file, and one from lurkbox without a file', async () => {
    const folder = await writePlugin('one');
    await lockAsAuthor(folder, { padder: '^1.0.0' });
    await registry.publish({ name: 'padder', version: '1.1.0' });
    await using lurkbox = await open();
    const { plugin: own } = await lurkbox.plugins.loadPlugin(folder);
    await rm(join(folder, 'package-lock.json'));
    const { plugin: written } = await lurkbox.plugins.loadPlugin(folder);
    expect(own.lock).toContain('"version":"1.0.0"');
    expect(written.lock).toContain('"version":"1.1.0"');
    expect(written.lock).not.toContain('source');
  });

  test('that was locked before lurkbox read such files stays unchanged', async () => {
    const folder = await writePlugin('one');
    await lockAsAuthor(folder, { padder: '^1.0.0' });
    await registry.publish({ name: 'padder', version: '1.1.0' });
    await using lurkbox = await open();
    const { plugin } = await lurkbox.plugins.loadPlugin(folder);
    const former = '{"lurkboxPackages":1,"packages":{\n"node_modules/padder":'.concat(
      plugin.lock!.split('"node_modules/padder":')[1]!,
    );
    const exported = JSON.parse(JSON.stringify(lurkbox.registry.toJSON()));
    const [version] = exported.plugins[0].versions;
    version.lock = former;
    version.digest = identityOf({ content: version.content, lock: former, dependencies: ['padder@^1.0.0'] });
    exported.plugins[0].consents = [];
    await using elsewhere = await open('elsewhere');
    elsewhere.registry.importJSON(exported);
    const { plugin: again } = await elsewhere.plugins.loadPlugin(folder);
    expect(again).toMatchObject({ lock: former, digest: version.digest });
  });

  test.each([
    ['a pipe', (path: string) => promisify(execFile)('mkfifo', [path])],
    ['a link', (path: string) => symlink('/etc/passwd', path)],
    ['a folder', (path: string) => mkdir(path)],
    ['a file of 20 MB', (path: string) => writeFile(path, ' '.repeat(20_000_000))],
    ['nothing', (path: string) => writeFile(path, '')],
  ])('is refused when that file is %s', async (_, make) => {
    const folder = await writePlugin('one');
    await make(join(folder, 'package-lock.json'));
    await using lurkbox = await open();
    const outcome = await lurkbox.plugins.loadPlugin(folder, { lock: false }).catch((error) => error.code);
    // A folder of that name is one of the plugin's folders, and no lock file.
    expect(outcome).toEqual(_ === 'a folder' ? expect.objectContaining({ name: 'one' }) : 'MANIFEST_INVALID');
  });
});

test('a plugin without npm packages is identified by its files alone', async () => {
  const folder = await writePlugin('one', { manifest: { dependencies: [] } });
  await using lurkbox = await open();
  const { plugin } = await lurkbox.plugins.loadPlugin(folder);
  expect(plugin).toMatchObject({ digest: plugin.content, lock: null });
  expect(registry.requests).toEqual([]);
});

describe('a pinned digest', { timeout: 60_000 }, () => {
  async function lockedDigest(): Promise<{ folder: string; digest: string; content: string }> {
    const folder = await writePlugin('one');
    await using lurkbox = await open();
    const { plugin } = await lurkbox.plugins.loadPlugin(folder);
    return { folder, digest: plugin.digest, content: plugin.content };
  }

  test('also pins the packages, whatever is published later', async () => {
    const { folder, digest } = await lockedDigest();
    await registry.publish({ name: 'padder', version: '1.1.0' });
    await using same = await open('here', pinnedTo(digest));
    expect((await same.plugins.loadPlugin(folder)).plugin.digest).toBe(digest);
    await using elsewhere = await open('elsewhere', pinnedTo(digest));
    await expect(elsewhere.plugins.loadPlugin(folder)).rejects.toMatchObject({
      code: 'POLICY_DENIED',
      problems: [
        { message: expect.stringContaining('the same files with other packages') },
        { message: expect.stringContaining('which files differ is not known here') },
      ],
    });
    expect(elsewhere.registry.get('one')).toBeNull();
  });

  test('holds on another machine that has the lock', async () => {
    const { folder, digest } = await lockedDigest();
    await using here = await open();
    const moved = here.registry.toJSON();
    await registry.publish({ name: 'padder', version: '1.1.0' });
    await using elsewhere = await open('elsewhere', pinnedTo(digest));
    elsewhere.registry.importJSON(moved);
    expect((await elsewhere.plugins.loadPlugin(folder)).plugin.digest).toBe(digest);
  });

  test.each(['digest of the files', 'digest of what is not locked'])(
    'that is the %s matches nothing that runs',
    async (which) => {
      const { content } = await lockedDigest();
      await writePlugin('there/plugins/one');
      await using first = await open('there');
      await first.plugins.discoverAndLoadAll(first.workspaceRoot);
      const unlocked = newest(first).digest;
      await using lurkbox = await open(
        'there',
        pinnedTo(which === 'digest of the files' ? content : unlocked),
      );
      const { failed } = await lurkbox.plugins.discoverAndLoadAll(lurkbox.workspaceRoot);
      expect(failed).toEqual([]);
      expect(await lurkbox.plugins.executePlugin('one', {})).toMatchObject({
        outcome: 'PERMISSION_DENIED',
        error: { code: 'POLICY_DENIED' },
      });
      await expect(lurkbox.plugins.prepare('one')).rejects.toMatchObject({ code: 'POLICY_DENIED' });
    },
  );

  test('is checked again when another process has locked the packages', async () => {
    await writePlugin('here/plugins/one');
    await using one = await open('here', pinnedTo(`sha256:${'0'.repeat(64)}`));
    await one.plugins.discoverAndLoadAll(one.workspaceRoot);
    expect(one.plugins.get('one')).not.toBeNull();
    await using other = await open();
    await other.plugins.lockPackages('one');
    expect(await one.plugins.executePlugin('one', {})).toMatchObject({ error: { code: 'POLICY_DENIED' } });
  });
});

describe('a lock of packages', { timeout: 60_000 }, () => {
  test('that several processes make at once is the first of them', async () => {
    const folder = await writePlugin('one');
    await using one = await open();
    await using other = await open();
    const loaded = await Promise.all([one, other].map(({ plugins }) => plugins.loadPlugin(folder)));
    const [digest] = new Set(loaded.map(({ plugin }) => plugin.digest));
    expect([newest(one), newest(other)].map((version) => version.digest)).toEqual([digest, digest]);

    await writePlugin('here/plugins/two', { manifest: { name: 'two' } });
    await one.plugins.discoverAndLoadAll(one.workspaceRoot);
    const { id } = one.registry.get('two')!.versions[0]!;
    const locks = ['{"lurkboxPackages":1,"packages":{}}\n', loaded[0]!.plugin.lock!];
    const first = one.registry.setLock(id, locks[0]!);
    expect(other.registry.setLock(id, locks[1]!)).toMatchObject({ lock: locks[0], digest: first.digest });
  });

  test('that was changed in the store is not used', async () => {
    const folder = await writePlugin('one');
    {
      await using lurkbox = await open();
      await lurkbox.plugins.loadPlugin(folder);
    }
    const database = new DatabaseSync(join(root, 'here/.lurkbox/registry.db'));
    const row = database.prepare('SELECT * FROM versions').get() as never as Parameters<
      typeof checksumOfVersion
    >[0];
    const changed = { ...row, lock: row.lock!.replace('1.0.0', '1.0.1') };
    database.prepare('UPDATE versions SET lock = ?, seal = ?').run(changed.lock, checksumOfVersion(changed));
    database.close();
    await using lurkbox = await open();
    expect(newest(lurkbox)).toMatchObject({ state: 'ERROR', reason: expect.stringContaining('digest') });
    expect(await lurkbox.plugins.executePlugin('one', {})).toMatchObject({ success: false });
  });

  test('of another content is not taken from an export', async () => {
    const folder = await writePlugin('one');
    await using lurkbox = await open();
    await lurkbox.plugins.loadPlugin(folder);
    const exported = JSON.parse(JSON.stringify(lurkbox.registry.toJSON()));
    exported.plugins[0].versions[0].lock = exported.plugins[0].versions[0].lock.replace('1.0.0', '1.0.1');
    await using elsewhere = await open('elsewhere');
    expect(() => elsewhere.registry.importJSON(exported)).toThrow(
      expect.objectContaining({ code: 'REGISTRY_INVALID' }),
    );
  });
});
