import { randomUUID } from 'node:crypto';
import { createReadStream, existsSync, mkdirSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { extract, type Header, pack } from 'tar-stream';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { connectEngine } from '../../src/engine/docker/connect.ts';
import type { ContainerEngine } from '../../src/engine/engine.ts';
import { LurkboxError } from '../../src/errors.ts';
import { readArchive } from '../../src/image/archive.ts';
import { BuildQueue } from '../../src/image/build-queue.ts';
import { HostPrograms } from '../../src/image/host-programs.ts';
import { createImageStore, type ImageStoreOptions } from '../../src/image/image-store.ts';
import { madeImagesFolder } from '../../src/image/made-images.ts';
import { createPackageLocker } from '../../src/image/package-locker.ts';
import { type LoadedPlugin, loadPlugin, toLocked } from '../../src/manifest/load.ts';
import { namedPackages } from '../../src/manifest/vendored.ts';
import { runInImage } from '../image/run-in-image.ts';

/** In the name of every plugin here, so that its images can be told from those of others. */
const PREFIX = 'image-test-';

let engine: ContainerEngine;
let folder: string;
const cacheDir = () => join(folder, '.lurkbox');

beforeAll(async () => {
  engine = await connectEngine();
  folder = await mkdtemp(join(tmpdir(), 'image-test-'));
  await createStore().prepareBase({ exec: true });
});

afterAll(async () => {
  for (const { tag } of await engine.listImages('lurkbox.kind=image').then(ownTags)) {
    await engine.removeImage(tag);
  }
  await rm(folder, { recursive: true });
});

function ownTags(images: readonly { tags: readonly string[] }[]): { tag: string }[] {
  const tags = images.flatMap((image) => image.tags);
  return tags.filter((tag) => tag.startsWith(`lurkbox/plugin-${PREFIX}`)).map((tag) => ({ tag }));
}

function createStore(options: Partial<ImageStoreOptions> = {}) {
  return createImageStore({
    engine,

    cacheDir: cacheDir(),
    programs: new HostPrograms(process.env),
    madeImagesFolder: madeImagesFolder(process.env),
    ...options,
  });
}

/** The engine with some calls replaced. */
function withCalls(calls: Partial<ContainerEngine>): ContainerEngine {
  return new Proxy(engine, {
    get: (target, name: keyof ContainerEngine) => {
      const value = calls[name] ?? target[name];
      return typeof value === 'function' ? value.bind(target) : value;
    },
  });
}

async function writePlugin(
  name: string,
  { code = '', dependencies = [] as string[], files = {} as Record<string, string> } = {},
) {
  const path = join(folder, name);
  await mkdir(join(path, 'lib'), { recursive: true });
  const manifest = {
    name: `${PREFIX}${name}`,
    version: '1.2.3',
    description: 'A plugin of the image tests',
    author: { name: 'lurkbox' },
    plugin_type: 'tool',
    entry_point: 'index.mjs',
    dependencies,
  };
  await writeFile(join(path, 'plugin.json'), JSON.stringify(manifest));
  await writeFile(join(path, 'index.mjs'), code);
  await writeFile(join(path, 'lib/answer.mjs'), 'export const answer = 42;');
  for (const [file, content] of Object.entries(files)) await writeFile(join(path, file), content);
  return loadPlugin(path);
}

/** The same with the lock of its packages. */
async function lockedPlugin(...[name, parts]: Parameters<typeof writePlugin>): Promise<LoadedPlugin> {
  const plugin = await writePlugin(name, parts);
  const options = { cacheDir: cacheDir(), programs: new HostPrograms(process.env), queue: new BuildQueue() };
  const { manifest } = plugin;
  return toLocked(plugin, await createPackageLocker(options).lock(manifest.name, namedPackages(manifest)));
}

interface ImageFile extends Header {
  readonly text: string;
}

/** Every entry of every layer, lowest first. */
async function listImage(reference: string): Promise<ImageFile[]> {
  const kept = await mkdtemp(join(folder, 'export-'));
  const found: ImageFile[] = [];
  for (const { content } of await readArchive(await engine.exportImage(reference), kept)) {
    const entries = extract();
    if (content === null) continue;
    if (Buffer.isBuffer(content)) entries.end(content);
    else createReadStream(content.file).pipe(entries as unknown as NodeJS.WritableStream);
    for await (const entry of entries) {
      const bytes = await buffer(entry as AsyncIterable<Buffer>);
      found.push({ ...entry.header, text: bytes.length < 10_000 ? bytes.toString() : '' });
    }
  }
  await rm(kept, { recursive: true });
  return found;
}

describe('the base image', () => {
  test('holds Node, its libraries, the runner and a few system files, and nothing else', async () => {
    const { tag } = await createStore().prepareBase({ exec: false });
    const files = (await listImage(tag)).filter(({ type }) => type !== 'directory');
    const libraries = files.filter(({ name }) => /^(usr\/)?lib(64)?\//.test(name));
    const rest = files.filter((file) => !libraries.includes(file)).map(({ name }) => name);
    expect(rest.sort()).toEqual([
      'etc/group',
      'etc/hostname',
      'etc/hosts',
      'etc/nsswitch.conf',
      'etc/passwd',
      'etc/resolv.conf',
      'lurkbox/runner.cjs',
      'usr/local/bin/node',
    ]);
    const sonames = libraries.map(({ name }) => name.split('/').at(-1) as string);
    // Of GCC and not of glibc: not every host has it.
    expect(sonames.filter((name) => name !== 'libatomic.so.1').sort()).toEqual([
      expect.stringMatching(/^ld-linux-/),
      'libBrokenLocale.so.1',
      'libanl.so.1',
      'libc.so.6',
      'libdl.so.2',
      'libgcc_s.so.1',
      'libm.so.6',
      'libmvec.so.1',
      'libnsl.so.1',
      'libnss_compat.so.2',
      'libnss_dns.so.2',
      'libnss_files.so.2',
      'libnss_hesiod.so.2',
      'libpthread.so.0',
      'libresolv.so.2',
      'librt.so.1',
      'libstdc++.so.6',
      'libthread_db.so.1',
      'libutil.so.1',
    ]);
  });

  test('belongs to root, has no setuid file, no link, and nothing that anyone but root can change', async () => {
    const { tag } = await createStore().prepareBase({ exec: false });
    for (const { name, uid, gid, mode, type, mtime } of await listImage(tag)) {
      expect({ name, uid, gid, mtime }).toEqual({ name, uid: 0, gid: 0, mtime: new Date('2000-01-01') });
      expect(['file', 'directory']).toContain(type);
      expect({ name, mode }).toEqual({
        name,
        mode: name === 'tmp/' ? 0o1777 : expect.toSatisfy((bits) => [0o644, 0o755].includes(bits)),
      });
    }
  });

  test('is not larger than 135 MB', async () => {
    const { tag } = await createStore().prepareBase({ exec: false });
    expect((await engine.inspectImage(tag))?.sizeBytes).toBeLessThan(135_000_000);
  });

  test('runs Node with a read-only root and without a network', async () => {
    const { id } = await createStore().prepareBase({ exec: false });
    const output = await runInImage(
      engine,
      id,
      `const fs = require('node:fs'), os = require('node:os');
       const attempt = (action) => { try { action(); return 'done'; } catch (error) { return error.code; } };
       console.log(JSON.stringify({
         version: process.version,
         user: os.userInfo().username,
         uid: process.getuid(),
         interfaces: Object.keys(os.networkInterfaces()),
         root: attempt(() => fs.writeFileSync('/file', '')),
         plugin: attempt(() => fs.writeFileSync('/plugin/file', '')),
         tmp: attempt(() => fs.writeFileSync('/tmp/file', '')),
         scratch: attempt(() => fs.writeFileSync('/scratch/file', '')),
         program: attempt(() => require('node:child_process').execFileSync(process.execPath, ['--version'])),
       }));`,
    );
    expect(JSON.parse(output)).toEqual({
      version: 'v24.21.0',
      user: 'plugin',
      uid: 65532,
      interfaces: ['lo'],
      root: 'EROFS',
      plugin: 'EROFS',
      tmp: 'done',
      scratch: 'done',
      program: 'EPERM',
    });
  });

  test('is not built again when it exists', async () => {
    const startedAt = performance.now();
    const { built } = await createStore().prepareBase({ exec: false });
    expect(built).toBe(false);
    expect(performance.now() - startedAt).toBeLessThan(2000);
  });

  test('is identical when it is assembled again', async () => {
    const first = await createStore().prepareBase({ exec: false });
    let asked = 0;
    const forgetful = withCalls({
      inspectImage: async (reference) => (asked++ === 0 ? null : engine.inspectImage(reference)),
    });
    const steps: string[] = [];
    const again = await createStore({
      engine: forgetful,
      onProgress: ({ step }) => steps.push(step),
    }).prepareBase({ exec: false });
    expect(again).toEqual({ ...first, built: true });
    expect(steps).toEqual(['fetchNode', 'assembleBase', 'loadImage']);
  });

  test('for `exec: true` has a shell and small tools', async () => {
    const { id, built } = await createStore().prepareBase({ exec: true });
    const output = await runInImage(
      engine,
      id,
      `console.log(require('node:child_process').execFileSync('/bin/sh', ['-c', 'echo "3 1 2" | /usr/bin/env tr " " "\\n" | sort | head -n 1']).toString())`,
      { exec: true },
    );
    expect({ output, built }).toEqual({ output: '1', built: false });
  });
});

describe('the image of a plugin', () => {
  test('holds the files of the plugin, and is built once', async () => {
    const plugin = await writePlugin('files');
    const store = createStore();
    const first = await store.prepare(plugin, { exec: false });
    expect(first).toMatchObject({
      built: true,
      tag: `lurkbox/plugin-${PREFIX}files:${first.key}`,
    });
    expect(await createStore().prepare(plugin, { exec: false })).toEqual({ ...first, built: false });
    const all = await listImage(first.tag);
    expect(all.map(({ name }) => name)).not.toContain('lurkbox/stripped.json');
    const files = all.filter(({ name }) => name.startsWith('plugin/'));
    expect(files.map(({ name, mode, uid }) => [name, mode, uid])).toEqual([
      ['plugin/', 0o755, 0],
      ['plugin/', 0o755, 0],
      ['plugin/index.mjs', 0o644, 0],
      ['plugin/lib/', 0o755, 0],
      ['plugin/lib/answer.mjs', 0o644, 0],
      ['plugin/plugin.json', 0o644, 0],
    ]);
    const output = await runInImage(
      engine,
      first.id,
      `import('/plugin/lib/answer.mjs').then(({ answer }) => console.log(answer))`,
    );
    expect(output).toBe('42');
  });

  test('holds TypeScript as written, and beside the plugin the code that is loaded instead', async () => {
    const written = { 'a b.ts': 'export const a: 1 = 1;', 'common.cts': 'const b: 2 = 2;' };
    const { tag } = await createStore().prepare(await writePlugin('typed', { files: written }), {
      exec: false,
    });
    const files = new Map((await listImage(tag)).map(({ name, text }) => [name, text]));
    expect(files.get('plugin/a b.ts')).toBe(written['a b.ts']);
    expect(JSON.parse(files.get('lurkbox/stripped.json') ?? '')).toEqual({
      'file:///plugin/a%20b.ts': 'export const a    = 1;',
      'file:///plugin/common.cts': 'const b    = 2;',
    });
  });

  test('is listed with its kind and plugin', async () => {
    const { tag, key, id } = await createStore().prepare(await writePlugin('listed'), { exec: false });
    const base = await createStore().prepareBase({ exec: false });
    const listed = (await createStore().list()).find((image) => image.tag === tag);
    expect(listed).toMatchObject({
      id,
      key,
      role: 'plugin',
      base: base.key,
      plugin: `${PREFIX}listed`,
      version: '1.2.3',
    });
    expect(listed?.ownBytes).toBeLessThan(10_000);
  });

  test('changes when a file changes or a shell is needed', async () => {
    const store = createStore();
    const before = await writePlugin('changing', { code: 'export const answer = 1;' });
    const images = [
      await store.prepare(before, { exec: false }),
      await store.prepare(await writePlugin('changing', { code: 'export const answer = 2;' }), {
        exec: false,
      }),
    ];
    images.push(await store.prepare(await loadPlugin(before.folder), { exec: true }));
    expect(new Set(images.map(({ id }) => id)).size).toBe(3);
    expect(images.every(({ built }) => built)).toBe(true);
  });

  test('is refused when the folder changed since it was loaded', async () => {
    const plugin = await writePlugin('swapped', { code: '/* harmless */' });
    await writeFile(join(plugin.folder, 'index.mjs'), '/* hostile! */');
    await expect(createStore().prepare(plugin, { exec: false })).rejects.toMatchObject({
      code: 'MANIFEST_INVALID',
    });
  });

  test('is built once for calls at the same time', async () => {
    const plugin = await writePlugin('shared');
    let loads = 0;
    const counting = withCalls({
      loadImage: async (archive) => {
        loads++;
        await engine.loadImage(archive);
      },
    });
    const store = createStore({ engine: counting });
    const images = await Promise.all([1, 2, 3].map(() => store.prepare(plugin, { exec: false })));
    expect(loads).toBe(1);
    expect(new Set(images.map(({ id }) => id)).size).toBe(1);
  });

  test('is never a foreign one with its name and labels', async () => {
    // Of this run alone: an image that an earlier one left without a name would be found by its id.
    const plugin = await writePlugin('forged', { code: `console.log("honest ${randomUUID()}");` });
    const store = createStore();
    const honest = await store.prepare(plugin, { exec: false });
    const details = await engine.inspectImage(honest.id);
    expect(details?.labels['lurkbox.image-key']).toBe(honest.key);
    await engine.removeImage(honest.tag);
    const base = await store.prepareBase({ exec: false });
    const layers = (await engine.inspectImage(base.id))!.layers;
    await engine.loadImage(toImage(honest.tag, { Labels: details!.labels }, layers));
    const forged = (await engine.inspectImage(honest.tag))!.id;
    expect(forged).not.toBe(honest.id);

    expect(await store.find(plugin, { exec: false })).toBeNull();
    expect(await createStore().prepare(plugin, { exec: false })).toEqual({ ...honest, built: true });
    // Nobody remembers: it is made again, also where one is there that has its name.
    await engine.loadImage(toImage(honest.tag, { Labels: details!.labels }, layers));
    const forgetful = createStore({ madeImagesFolder: join(folder, 'made-by-another') });
    expect(await forgetful.find(plugin, { exec: false })).toBeNull();
    expect(await store.find(plugin, { exec: false })).toEqual({ ...honest, built: false });
    await engine.removeImage(forged);
    await engine.removeImage(honest.id);
  });

  test('that is forged stays when the real one is removed', async () => {
    const plugin = await writePlugin('left', { code: 'console.log("honest");' });
    const store = createStore();
    const honest = await store.prepare(plugin, { exec: false });
    const layers = (await engine.inspectImage((await store.prepareBase({ exec: false })).id))!.layers;
    await engine.loadImage(toImage(honest.tag, {}, layers));
    expect(await store.remove(plugin, { exec: false })).toBe(true);
    expect(await engine.inspectImage(honest.id)).toBeNull();
    expect(await engine.inspectImage(honest.tag)).not.toBeNull();
  });

  test('that another workspace needs too is removed when neither needs it', async () => {
    const plugin = await writePlugin('shared');
    const [one, two] = [join(folder, 'one'), join(folder, 'two')].map((workspaceRoot) => {
      mkdirSync(workspaceRoot);
      return createStore({ workspaceRoot });
    });
    const { id } = await one!.prepare(plugin, { exec: false });
    expect(await two!.find(plugin, { exec: false })).toMatchObject({ id, built: false });
    expect(await one!.remove(plugin, { exec: false })).toBe(false);
    expect(await engine.inspectImage(id)).not.toBeNull();
    expect(await two!.remove(plugin, { exec: false })).toBe(true);
    expect(await engine.inspectImage(id)).toBeNull();
  });

  test('serves both processes that build it at the same time', async () => {
    const plugin = await writePlugin('raced');
    const [one, other] = await Promise.all([
      createStore().prepare(plugin, { exec: false }),
      createStore().prepare(plugin, { exec: false }),
    ]);
    expect(one?.id).toBe(other?.id);
  });

  test('can be loaded into an engine that needs every layer', async () => {
    const plugin = await writePlugin('whole');
    const sizes: number[] = [];
    const wanting = withCalls({
      loadImage: async (archive) => {
        const bytes = await buffer(archive);
        sizes.push(bytes.length);
        if (bytes.length < 50_000_000) throw new LurkboxError('IMAGE_BUILD_FAILED', 'a layer is missing');
        await engine.loadImage(Readable.from([bytes]));
      },
    });
    const { id } = await createStore({ engine: wanting }).prepare(plugin, { exec: false });
    expect(sizes).toEqual([
      expect.toSatisfy((size) => size < 50_000),
      expect.toSatisfy((size) => size > 1e8),
    ]);
    expect(
      await runInImage(engine, id, `console.log(require('node:fs').readdirSync('/plugin').join())`),
    ).toBe('index.mjs,lib,plugin.json');
  });

  test('is given up when the signal aborts', async () => {
    const plugin = await lockedPlugin('aborted', { dependencies: ['zod@4'] });
    const controller = new AbortController();
    const reason = new Error('no longer wanted');
    const store = createStore({
      onProgress: ({ step }) => step === 'installDependencies' && controller.abort(reason),
    });
    await expect(store.prepare(plugin, { exec: false, signal: controller.signal })).rejects.toBe(reason);
  });
});

describe('dependencies', () => {
  test('can be imported, and none of their scripts is run', async () => {
    // The second one compiles itself in an install script.
    const plugin = await lockedPlugin('dependent', {
      code: `import ms from 'ms'; console.log(ms('2 days'));`,
      dependencies: ['ms@^2.1.0', 'cpu-features@0.0.10'],
    });
    const { id, tag, warnings } = await createStore().prepare(plugin, { exec: false });
    expect(await runInImage(engine, id, `import('/plugin/index.mjs')`)).toBe('172800000');
    expect(warnings).toEqual([
      expect.stringMatching(/^`cpu-features@0\.0\.10` has a native part .*no script of a package is run/),
    ]);
    const names = (await listImage(tag)).map(({ name }) => name);
    expect(names).toContain('plugin/node_modules/cpu-features/package.json');
    expect(names).not.toContain('plugin/node_modules/cpu-features/buildcheck.gypi');
    expect(names.filter((name) => /node_modules\/(\.|.*\/build\/)/.test(name))).toEqual([]);
  });

  test('that do not exist are refused with the message of npm', async () => {
    await expect(lockedPlugin('wishful', { dependencies: ['ms@^99.0.0'] })).rejects.toMatchObject({
      code: 'DEPENDENCY_FAILED',
      message: expect.stringMatching(/ms@\^99\.0\.0.*No matching version/s),
    });
  });
});

describe('pruning', () => {
  test('removes unneeded images, but no base of this version and nothing foreign', async () => {
    const foreign = `${PREFIX}foreign:1`;
    await engine.loadImage(
      toImage(foreign, { Labels: { 'lurkbox.kind': 'image', 'lurkbox.image-role': 'plugin' } }),
    );
    const store = createStore();
    const kept = await store.prepare(await writePlugin('kept'), { exec: false });
    const gone = await store.prepare(await writePlugin('gone'), { exec: false });
    const bases = [await store.prepareBase({ exec: false }), await store.prepareBase({ exec: true })].map(
      ({ tag }) => tag,
    );
    // Tests that run beside this one make images, and remove them.
    const asked: string[] = [];
    const mine = withCalls({
      removeImage: (reference) => {
        asked.push(reference);
        return engine.removeImage(reference);
      },
      listImages: async (label) =>
        (await engine.listImages(label)).filter(({ tags }) =>
          tags.some((tag) => tag.includes(PREFIX) || bases.includes(tag)),
        ),
    });
    const result = await createStore({ engine: mine }).prune({ keep: new Set([kept.tag]) });
    expect(result.removed).toContain(gone.tag);
    expect(result.removed).not.toContain(kept.tag);
    expect(result.freedBytes).toBeLessThan(50_000_000);
    expect(await engine.inspectImage(gone.tag)).toBeNull();
    expect(asked.filter((reference) => !reference.includes(PREFIX))).toEqual([]);
    for (const tag of [kept.tag, ...bases, foreign]) {
      expect(await engine.inspectImage(tag), tag).not.toBeNull();
    }
    await engine.removeImage(foreign);
  });
});

// No registry is needed: where the engine lacks the official images, some of the same layout stand in for them.
describe('the Dockerfile', () => {
  const NODE = 'node:24.21.0-bookworm-slim';
  const BUSYBOX = 'busybox:1.37-musl';
  const made: string[] = [];

  beforeAll(async () => {
    const { tag } = await createStore().prepareBase({ exec: true });
    for (const official of [NODE, BUSYBOX]) {
      if ((await engine.inspectImage(official)) !== null) continue;
      const kept = await mkdtemp(join(folder, 'stand-in-'));
      const layers = await readArchive(await engine.exportImage(tag), kept);
      const diffIds = layers.map(({ diffId }) => diffId);
      await engine.loadImage(toImage(official, { Env: ['PATH=/usr/local/bin:/bin'] }, diffIds));
      made.push(official);
    }
  });

  afterAll(async () => {
    for (const tag of made.toReversed()) await engine.removeImage(tag);
    for (const { id } of await engine.listImages('lurkbox.kind=build-stage')) await engine.removeImage(id);
  });

  test('builds a base of the same layout that runs plugins, with and without a shell', async () => {
    const store = createStore({ baseFrom: 'dockerfile' });
    const plugin = await writePlugin('from-dockerfile', { code: 'console.log(42);' });
    const base = await store.prepareBase({ exec: false });
    made.push(base.tag);
    const withShell = await store.prepareBase({ exec: true });
    made.push(withShell.tag);

    const assembled = await createStore().prepareBase({ exec: false });
    const paths = async (tag: string) => [...new Set((await listImage(tag)).map(({ name }) => name))].sort();
    expect(await paths(base.tag)).toEqual(await paths(assembled.tag));

    const image = await store.prepare(plugin, { exec: false });
    expect(await runInImage(engine, image.id, `import('/plugin/index.mjs')`)).toBe('42');
    const shell = `console.log(require('node:child_process').execSync('/usr/bin/env echo hi').toString())`;
    expect(await runInImage(engine, withShell.id, shell, { exec: true })).toBe('hi');
    expect(await createStore({ baseFrom: 'dockerfile' }).prepareBase({ exec: false })).toEqual({
      ...base,
      built: false,
    });
  });
});

test('building images leaves no temporary file', async () => {
  expect(existsSync(join(cacheDir(), 'tmp'))).toBe(true);
  expect(await readdir(join(cacheDir(), 'tmp'))).toEqual([]);
});

/** An image with a config of the test's own; its layers are ones that the engine has. */
function toImage(tag: string, config: object, diffIds: readonly string[] = []) {
  const archive = pack();
  const manifest = [
    { Config: 'config.json', RepoTags: [tag], Layers: diffIds.map((id) => `${id.slice(7)}/layer.tar`) },
  ];
  const image = {
    architecture: process.arch === 'x64' ? 'amd64' : process.arch,
    os: 'linux',
    config,
    rootfs: { type: 'layers', diff_ids: diffIds },
  };
  archive.entry({ name: 'config.json' }, JSON.stringify(image));
  archive.entry({ name: 'manifest.json' }, JSON.stringify(manifest));
  archive.finalize();
  return Readable.from(archive as AsyncIterable<Buffer>, { objectMode: false });
}
