import { mkdir, mkdtemp, realpath, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { LurkboxError } from '../../../src/errors.ts';
import {
  HotReloadManager,
  type HotReloadOptions,
} from '../../../src/versions/hot-reload/hot-reload-manager.ts';
import { createFakeReloader, type FakeReloader } from './fake-reloader.ts';

const DEBOUNCE_MS = 50;
/** Nothing is waited for by the clock, so this only says when to give up. */
const PATIENT = { interval: 10, timeout: 20_000 };

let root: string;
let plugins: string;
let reloader: FakeReloader;
/** What the listeners were told, in order: `live hello 1`, `error hello POLICY_DENIED`, `gone hello`. */
let told: string[];
let errors: LurkboxError[];
let manager: HotReloadManager;

beforeEach(async () => {
  root = await realpath(await mkdtemp(join(tmpdir(), 'lurkbox-reload-')));
  plugins = join(root, 'plugins');
  await mkdir(plugins);
  reloader = createFakeReloader();
  told = [];
  errors = [];
  manager = createManager();
});

afterEach(async () => {
  await manager.stop();
  await rm(root, { recursive: true, force: true });
});

function createManager(options: Partial<HotReloadOptions> = {}): HotReloadManager {
  return new HotReloadManager({
    reloader,
    debounceMs: DEBOUNCE_MS,
    watchPaths: [plugins],
    onReload: (folder, { digest }) => told.push(`live ${basename(folder)} ${digest}`),
    onError: (folder, error) => {
      told.push(`error ${basename(folder)} ${error.code}`);
      errors.push(error);
    },
    onRemoved: (folder) => told.push(`gone ${basename(folder)}`),
    ...options,
  });
}

async function put(path: string, content = '1'): Promise<void> {
  const file = join(plugins, path);
  await mkdir(dirname(file), { recursive: true });
  // At once, so that nobody reads half of it.
  await writeFile(join(root, 'written'), content);
  await rename(join(root, 'written'), file);
}

/** The whole folder at once. */
async function putPlugin(name: string, content = '1', parent = plugins): Promise<void> {
  const made = join(root, 'made');
  await mkdir(made);
  await writeFile(join(made, 'plugin.json'), '{}');
  await writeFile(join(made, 'index.js'), content);
  await rename(made, join(parent, name));
}

/** The whole folder at once. */
async function takeAway(name: string): Promise<void> {
  await rename(join(plugins, name), join(root, 'taken'));
  await rm(join(root, 'taken'), { recursive: true });
}

async function toldOf(...expected: string[]): Promise<void> {
  await expect.poll(() => told, PATIENT).toEqual(expected);
}

/** Starts with one plugin that is live. */
async function startWithHello(): Promise<void> {
  await putPlugin('hello');
  await manager.start();
  await toldOf('live hello 1');
}

/** How often the reloader was asked, when nothing comes of what was done any more. */
async function asks(): Promise<number> {
  for (let before = -1; before !== reloader.asked.length || reloader.underWay > 0; ) {
    before = reloader.asked.length;
    // In turns: on a busy machine each of them takes as long as what is waited for does.
    for (let turn = 0; turn < 6; turn++) await sleep(DEBOUNCE_MS);
  }
  return reloader.asked.length;
}

describe('a watched plugin', () => {
  test('that exists at the start is reloaded once', async () => {
    manager = createManager({ debounceMs: 1000 });
    await startWithHello();
    expect(await asks()).toBe(1);
  });

  test('is reloaded with its new content when one of its files changes, at any depth', async () => {
    await startWithHello();
    await put('hello/lib/deep/er/x.js');
    const before = await asks();
    await put('hello/lib/deep/er/x.js', '2');
    await expect.poll(() => reloader.asked.length, PATIENT).toBe(before + 1);
    await put('hello/index.js', '2');
    await toldOf('live hello 1', 'live hello 2');
  });

  test('that has not changed is not reported', async () => {
    await startWithHello();
    const before = await asks();
    await put('hello/README.md');
    await expect.poll(() => reloader.asked.length, PATIENT).toBeGreaterThan(before);
    await asks();
    expect(told).toEqual(['live hello 1']);
  });

  test('that appears is loaded when it is complete, and not before', async () => {
    manager = createManager({ debounceMs: 1000 });
    await manager.start();
    for (const step of ['a', 'b', 'c', 'd', 'e', 'f']) {
      await put('hello/index.js', step);
      if (step === 'b') await put('hello/plugin.json', '{}');
      await sleep(5);
    }
    expect(reloader.asked).toEqual([]);
    await toldOf('live hello f');
    expect(reloader.asked).toEqual(['reload hello']);
  });

  test('that is saved without a pause is reloaded rarely, and never twice at once', async () => {
    // Above the 50 ms in which chokidar puts changes of one file together.
    const debounceMs = 200;
    manager = createManager({ debounceMs });
    await startWithHello();
    const startedAt = performance.now();
    let saves = 0;
    for (; performance.now() - startedAt < 15 * debounceMs; saves++) {
      await put('hello/index.js', `save ${saves}`);
      await sleep(1);
    }
    const during = reloader.asked.length - 1;
    expect(during).toBeGreaterThanOrEqual(1);
    expect(during).toBeLessThanOrEqual((performance.now() - startedAt) / debounceMs);
    await expect.poll(() => told.at(-1), PATIENT).toBe(`live hello save ${saves - 1}`);
    expect(reloader.mostAtOnceOfOne).toBe(1);
  });

  test('that changes while it is reloaded is reloaded once more afterwards', async () => {
    await startWithHello();
    const before = await asks();
    const gate = Promise.withResolvers<void>();
    reloader.during = () => gate.promise;
    await put('hello/index.js', '2');
    await expect.poll(() => reloader.underWay, PATIENT).toBe(1);
    for (const content of ['3', '4', '5']) {
      await put('hello/index.js', content);
      await sleep(3 * DEBOUNCE_MS);
    }
    gate.resolve();
    await toldOf('live hello 1', 'live hello 2', 'live hello 5');
    expect(await asks()).toBe(before + 2);
    expect(reloader.mostAtOnceOfOne).toBe(1);
  });

  test('is reloaded when a file is replaced by another', async () => {
    await startWithHello();
    await put('hello/index.js.tmp', '2');
    await rename(join(plugins, 'hello/index.js.tmp'), join(plugins, 'hello/index.js'));
    await expect.poll(() => told.at(-1), PATIENT).toBe('live hello 2');
  });

  test.each([
    '.git/HEAD',
    'node_modules/zod/index.js',
    '.index.js.swp',
    'index.js~',
    '#index.js#',
    '.DS_Store',
    '._a.js',
    '.idea/workspace.xml',
    'Thumbs.db',
  ])('is not reloaded for %s', async (file) => {
    await startWithHello();
    const before = await asks();
    await put(`hello/${file}`);
    await asks();
    await put(`hello/${file}`, 'changed');
    expect(await asks()).toBe(before);
  });

  test.each(['.env.json', 'lib/node_modules/x.js'])(
    'is reloaded for %s, which is part of it',
    async (file) => {
      await startWithHello();
      const before = await asks();
      await put(`hello/${file}`);
      await expect.poll(() => reloader.asked.length, PATIENT).toBeGreaterThan(before);
    },
  );

  test('whose folder is replaced by another is reloaded', async () => {
    await startWithHello();
    await mkdir(join(root, 'new'));
    await writeFile(join(root, 'new/plugin.json'), '{}');
    await writeFile(join(root, 'new/index.js'), '2');
    await rename(join(plugins, 'hello'), join(root, 'old'));
    await rename(join(root, 'new'), join(plugins, 'hello'));
    await toldOf('live hello 1', 'live hello 2');
    await put('hello/index.js', '3');
    await toldOf('live hello 1', 'live hello 2', 'live hello 3');
  });

  test('that is a link is left alone', async () => {
    await putPlugin('elsewhere', '1', root);
    await symlink(join(root, 'elsewhere'), join(plugins, 'linked'));
    await startWithHello();
    await writeFile(join(root, 'elsewhere/index.js'), '2');
    await asks();
    expect(new Set(reloader.asked)).toEqual(new Set(['reload hello']));
  });
});

describe('a plugin whose folder is removed', () => {
  test('is unloaded, and is new when it comes back', async () => {
    await startWithHello();
    await takeAway('hello');
    await toldOf('live hello 1', 'gone hello');
    await putPlugin('hello', '2');
    await toldOf('live hello 1', 'gone hello', 'live hello 2');
    await put('hello/index.js', '3');
    await toldOf('live hello 1', 'gone hello', 'live hello 2', 'live hello 3');
  });

  test('and comes back at once is only reloaded', async () => {
    manager = createManager({ debounceMs: 1000 });
    await startWithHello();
    await takeAway('hello');
    await putPlugin('hello', '2');
    await toldOf('live hello 1', 'live hello 2');
  });

  test('is also unloaded when only its plugin.json is removed', async () => {
    await startWithHello();
    await rm(join(plugins, 'hello/plugin.json'));
    await toldOf('live hello 1', 'gone hello');
    await put('hello/index.js', '2');
    await asks();
    expect(told).toEqual(['live hello 1', 'gone hello']);
  });

  test('is unloaded with the parent folder, and comes back with it', async () => {
    await startWithHello();
    await rename(plugins, join(root, 'away'));
    await toldOf('live hello 1', 'gone hello');
    await rename(join(root, 'away'), plugins);
    await put('hello/index.js', '2');
    await expect.poll(() => told.at(-1), PATIENT).toBe('live hello 2');
  });

  test('frees its name for a folder that was refused', async () => {
    let holder = '';
    reloader.during = (folder) => {
      if (holder !== '' && holder !== folder) throw new LurkboxError('MANIFEST_INVALID', 'the name is taken');
      holder = folder;
    };
    reloader.onRemoved = () => {
      holder = '';
    };
    await startWithHello();
    await putPlugin('renamed');
    await toldOf('live hello 1', 'error renamed MANIFEST_INVALID');
    await takeAway('hello');
    await toldOf('live hello 1', 'error renamed MANIFEST_INVALID', 'gone hello', 'live renamed 1');
  });

  test('but that cannot be unloaded is reported as an error, and unloaded at the next change', async () => {
    await startWithHello();
    await asks();
    reloader.onRemoved = () => {
      reloader.onRemoved = () => {};
      throw new LurkboxError('ENGINE_LOST', 'no');
    };
    await rm(join(plugins, 'hello/plugin.json'));
    await toldOf('live hello 1', 'error hello ENGINE_LOST');
    await put('hello/index.js', '2');
    await toldOf('live hello 1', 'error hello ENGINE_LOST', 'gone hello');
  });
});

describe('a reload that fails', () => {
  test('is reported once and tried again at the next change', async () => {
    await startWithHello();
    const before = await asks();
    reloader.during = () => {
      throw new LurkboxError('POLICY_DENIED', 'too much');
    };
    await put('hello/index.js', '2');
    await toldOf('live hello 1', 'error hello POLICY_DENIED');
    expect(await asks()).toBe(before + 1);
    reloader.during = () => {};
    await put('hello/index.js', '3');
    await toldOf('live hello 1', 'error hello POLICY_DENIED', 'live hello 3');
  });

  test('because files changed while they were read is retried without a change', async () => {
    await startWithHello();
    const before = await asks();
    let failures = 0;
    reloader.during = () => {
      if (failures++ < 2) throw changedWhileRead();
    };
    await put('hello/index.js', '2');
    await toldOf('live hello 1', 'live hello 2');
    expect(await asks()).toBe(before + 3);
  });

  test('because files keep changing is reported after some tries, and given up', async () => {
    await startWithHello();
    const before = await asks();
    reloader.during = () => {
      throw changedWhileRead();
    };
    await put('hello/index.js', '2');
    await toldOf('live hello 1', 'error hello MANIFEST_INVALID');
    expect(await asks()).toBe(before + 5);
  });

  test('with an unknown error is reported as a fault of lurkbox', async () => {
    await startWithHello();
    await asks();
    reloader.during = () => {
      throw new TypeError('oops');
    };
    await put('hello/index.js', '2');
    await toldOf('live hello 1', 'error hello INTERNAL');
    expect(errors[0]).toMatchObject({
      message: expect.stringContaining('oops'),
      cause: expect.any(TypeError),
    });
  });

  test('leaves the other plugins alone', async () => {
    manager = createManager({ debounceMs: 500 });
    reloader.during = (folder) => {
      if (folder.endsWith('broken')) throw new LurkboxError('MANIFEST_INVALID', 'broken');
    };
    await putPlugin('broken');
    await startWithHelloAnd('error broken MANIFEST_INVALID');
    await put('hello/index.js', '2');
    await expect.poll(() => told.at(-1), PATIENT).toBe('live hello 2');
  });

  async function startWithHelloAnd(other: string): Promise<void> {
    await putPlugin('hello');
    await manager.start();
    await expect.poll(() => [...told].sort(), PATIENT).toEqual([other, 'live hello 1']);
  }
});

describe('a path with many plugins', () => {
  test('has all of them reloaded, two at a time', async () => {
    const names = Array.from({ length: 30 }, (_, index) => `plugin-${index}`);
    for (const name of names) await putPlugin(name);
    reloader.during = () => sleep(5);
    await manager.start();
    await expect.poll(() => told.length, PATIENT).toBe(30);
    expect([...told].sort()).toEqual(names.map((name) => `live ${name} 1`).sort());
    expect(reloader.mostAtOnce).toBe(2);
    expect(reloader.mostAtOnceOfOne).toBe(1);
  });

  test('ignores hidden folders, plain files and folders without a plugin.json', async () => {
    await put('.hidden/plugin.json');
    await put('node_modules/plugin.json');
    await put('README.md');
    await put('notes/index.js');
    await startWithHello();
    await asks();
    expect(new Set(reloader.asked)).toEqual(new Set(['reload hello']));
  });

  test('reloads all of them even when a listener throws', async () => {
    manager = createManager({
      onReload: (folder) => {
        told.push(basename(folder));
        throw new Error('a fault of the listener');
      },
    });
    await putPlugin('a');
    await putPlugin('b');
    await manager.start();
    await expect.poll(() => [...told].sort(), PATIENT).toEqual(['a', 'b']);
  });
});

describe('a watched path', () => {
  test('can be the folder of one plugin', async () => {
    await putPlugin('hello');
    await put('hello/lib/plugin.json');
    manager = createManager({ watchPaths: [join(plugins, 'hello')] });
    await manager.start();
    await toldOf('live hello 1');
    await put('hello/index.js', '2');
    await toldOf('live hello 1', 'live hello 2');
    await takeAway('hello');
    await toldOf('live hello 1', 'live hello 2', 'gone hello');
    await putPlugin('hello', '3');
    await toldOf('live hello 1', 'live hello 2', 'gone hello', 'live hello 3');
    expect(new Set(reloader.asked)).toEqual(new Set(['reload hello', 'removed hello']));
  });

  test('can become the folder of a plugin while it is watched', async () => {
    await put('hello/index.js');
    await put('hello/.config/x', '1');
    manager = createManager({ watchPaths: [join(plugins, 'hello')] });
    await manager.start();
    await put('hello/plugin.json');
    await toldOf('live hello 1');
    const before = await asks();
    await put('hello/.config/x', '2');
    await expect.poll(() => reloader.asked.length, PATIENT).toBe(before + 1);
  });

  test('can be added and removed while hot reload runs', async () => {
    await startWithHello();
    const other = join(root, 'other');
    await putPlugin('other', 'o', root);
    await manager.addPath(other);
    await manager.addPath(other);
    expect(manager.paths).toEqual([plugins, other]);
    await toldOf('live hello 1', 'live other o');
    expect(await manager.removePath(plugins)).toBe(true);
    expect(await manager.removePath(plugins)).toBe(false);
    await put('hello/index.js', '2');
    await writeFile(join(other, 'index.js'), 'p');
    await toldOf('live hello 1', 'live other o', 'live other p');
    expect(manager.paths).toEqual([other]);
    await manager.addPath(plugins);
    await toldOf('live hello 1', 'live other o', 'live other p', 'live hello 2');
  });

  test('can be removed after its folder is gone', async () => {
    await startWithHello();
    await rename(plugins, join(root, 'away'));
    await toldOf('live hello 1', 'gone hello');
    expect(await manager.removePath(plugins)).toBe(true);
    expect(manager.paths).toEqual([]);
  });

  test('is identified by the folder that a link leads to', async () => {
    await symlink(plugins, join(root, 'link'));
    manager = createManager({ watchPaths: [join(root, 'link')] });
    await startWithHello();
    expect(manager.paths).toEqual([plugins]);
    expect(await manager.removePath(join(root, 'link'))).toBe(true);
  });

  test('that does not exist or is not a folder is refused', async () => {
    await put('file');
    await expect(manager.addPath(join(root, 'nothing'))).rejects.toMatchObject({ code: 'PLUGIN_NOT_FOUND' });
    await expect(manager.addPath(join(plugins, 'file'))).rejects.toMatchObject({ code: 'PLUGIN_NOT_FOUND' });
    expect(manager.paths).toEqual([]);
    manager = createManager({ watchPaths: [plugins, join(root, 'nothing')] });
    await expect(manager.start()).rejects.toMatchObject({ code: 'PLUGIN_NOT_FOUND' });
    expect(manager.isRunning).toBe(false);
  });

  test('inside another one or around it is refused', async () => {
    await manager.addPath(plugins);
    await put('hello/plugin.json');
    const refusal = { code: 'OPTIONS_INVALID', message: expect.stringContaining('inside of the other') };
    await expect(manager.addPath(join(plugins, 'hello'))).rejects.toMatchObject(refusal);
    await expect(manager.addPath(root)).rejects.toMatchObject(refusal);
  });

  test('is refused after a hundred others', async () => {
    manager = createManager({ watchPaths: [] });
    for (let index = 0; index < 100; index++) {
      await put(`${index}/index.js`);
      await manager.addPath(join(plugins, String(index)));
    }
    await put('100/index.js');
    await expect(manager.addPath(join(plugins, '100'))).rejects.toMatchObject({
      code: 'OPTIONS_INVALID',
      message: expect.stringContaining('at most 100'),
    });
  });
});

describe('stopping hot reload', () => {
  test('waits for the reloads under way, and starts none after that', async () => {
    await startWithHello();
    await asks();
    let ended = false;
    let reason: unknown;
    reloader.during = async (_folder, signal) => {
      await new Promise((resolve) => signal.addEventListener('abort', resolve));
      await sleep(DEBOUNCE_MS);
      ended = true;
      reason = signal.reason;
      signal.throwIfAborted();
    };
    await putPlugin('other');
    await expect.poll(() => reloader.underWay, PATIENT).toBe(1);
    await put('hello/index.js', '2');
    await Promise.all([manager.stop(), manager.stop()]);
    expect({ ended, isRunning: manager.isRunning }).toEqual({ ended: true, isRunning: false });
    expect(reason).toBeDefined();
    const asked = [...reloader.asked];
    await put('hello/index.js', '3');
    await asks();
    expect(reloader.asked).toEqual(asked);
    // That it was ended is no error: who stopped it knows.
    expect(told).toEqual(['live hello 1']);
  });

  test('works before the start, during it, and twice', async () => {
    await manager.stop();
    await putPlugin('hello');
    const starting = manager.start();
    await manager.stop();
    await starting;
    await manager.stop();
    expect(await asks()).toBe(0);
  });

  test('and starting again goes on with the same paths', async () => {
    await startWithHello();
    await manager.stop();
    await put('hello/index.js', '2');
    await manager.start();
    await toldOf('live hello 1', 'live hello 2');
    expect(manager.isRunning).toBe(true);
  });

  test('happens at the end of an `await using` block', async () => {
    {
      await using scoped = createManager();
      manager = scoped;
      await startWithHello();
    }
    expect(manager.isRunning).toBe(false);
  });
});

test.each([0, -1, 1.5, Number.NaN, 60_001])('a debounce of %s ms is refused', (debounceMs) => {
  expect(() => createManager({ debounceMs })).toThrow(
    expect.objectContaining({
      code: 'OPTIONS_INVALID',
      problems: [expect.objectContaining({ path: 'debounceMs' })],
    }),
  );
});

function changedWhileRead(): LurkboxError {
  return new LurkboxError('MANIFEST_INVALID', 'broken', {
    problems: [{ path: 'index.js', message: 'changed while it was read; load the plugin again' }],
  });
}
