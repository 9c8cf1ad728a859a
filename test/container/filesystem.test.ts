import { lstat, mkdir, readdir, readFile, readlink, rmdir, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  createPlugin,
  createSharedFolder,
  type Program,
  type SharedFolder,
  type TestPlugin,
} from '../helpers/workspace.ts';

/** Tries to write a file and answers what came of it. */
const write: Program<string> = (path) => {
  try {
    process.getBuiltinModule('node:fs').writeFileSync(path, 'written by the plugin');
    return 'written';
  } catch (error) {
    return (error as NodeJS.ErrnoException).code;
  }
};

const read: Program<string> = (path) => {
  try {
    return process.getBuiltinModule('node:fs').readFileSync(path, 'utf8');
  } catch (error) {
    return (error as NodeJS.ErrnoException).code;
  }
};

describe('without the permission', () => {
  let probe: TestPlugin;
  beforeAll(async () => {
    const files = { 'data/words.txt': 'one two', 'lib/help.mjs': 'export {};' };
    probe = await createPlugin('filesystem-none', { files });
  });
  afterAll(() => probe[Symbol.asyncDispose]());

  test('a plugin can read its own folder, and write nothing in it', async () => {
    const seen = await probe.ask(() => {
      const { readdirSync, readFileSync } = process.getBuiltinModule('node:fs');
      const names = readdirSync('/plugin', { recursive: true }) as string[];
      return [names.sort(), readFileSync('/plugin/data/words.txt', 'utf8')];
    });
    expect(seen).toEqual([
      ['data', 'data/words.txt', 'index.mjs', 'lib', 'lib/help.mjs', 'plugin.json'],
      'one two',
    ]);
    for (const path of ['/plugin/index.mjs', '/plugin/new', '/plugin/data/words.txt']) {
      expect(await probe.ask(write, path)).toMatch(/^(EROFS|EACCES)$/);
    }
  });

  test.each(['/scratch', '/mnt', '/dev/shm', '/var/tmp', '/home'])(
    'there is no %s to write to',
    async (folder) => {
      expect(await probe.ask(write, `${folder}/x`)).toMatch(/^(ENOENT|EROFS|EACCES)$/);
    },
  );

  test('a call does not see what an earlier one left in /tmp (P7)', async () => {
    const leave: Program = () => {
      const { mkdirSync, symlinkSync, writeFileSync } = process.getBuiltinModule('node:fs');
      mkdirSync('/tmp/a/b', { recursive: true });
      writeFileSync('/tmp/a/b/marker', 'secret');
      symlinkSync('/etc/shadow', '/tmp/link');
    };
    const look: Program = () => process.getBuiltinModule('node:fs').readdirSync('/tmp', { recursive: true });
    expect(await probe.ask(look)).toEqual([]);
    await probe.ask(leave);
    expect(await probe.ask(look)).toEqual([]);
  });

  test("two calls at the same time do not see each other's /tmp (P7)", async () => {
    const mark: Program<string> = async (name) => {
      const { readdirSync, writeFileSync } = process.getBuiltinModule('node:fs');
      writeFileSync(`/tmp/${name}`, name);
      await new Promise((resolve) => setTimeout(resolve, 800));
      return readdirSync('/tmp');
    };
    expect(await Promise.all([probe.ask(mark, 'one'), probe.ask(mark, 'two')])).toEqual([['one'], ['two']]);
  });

  test('a link leads to a file of the container and not of the host', async () => {
    const answers = await probe.ask(() => {
      const { readFileSync, symlinkSync } = process.getBuiltinModule('node:fs');
      return [
        '/etc/shadow',
        '/etc/os-release',
        '/root',
        '/proc/1/root/etc/shadow',
        '/proc/1/cwd/../../etc/shadow',
      ].map((target, index) => {
        symlinkSync(target, `/tmp/link-${index}`);
        try {
          return readFileSync(`/tmp/link-${index}`, 'utf8');
        } catch (error) {
          return (error as NodeJS.ErrnoException).code;
        }
      });
    });
    for (const answer of answers) expect(answer).toMatch(/^(ENOENT|EACCES|EISDIR)$/);
  });

  test('nothing in /tmp keeps a container from being removed (P2)', async () => {
    const { outcome } = await probe.run(async () => {
      const { chmodSync, mkdirSync, symlinkSync, writeFileSync } = process.getBuiltinModule('node:fs');
      const { createServer } = process.getBuiltinModule('node:net');
      process.chdir('/tmp');
      await new Promise<void>((resolve) => createServer().listen('/tmp/socket', resolve));
      writeFileSync(Buffer.from([0x2f, 0x74, 0x6d, 0x70, 0x2f, 0xff, 0x0a, 0x1b]), 'a name that is no text');
      writeFileSync(`/tmp/${'n'.repeat(255)}`, 'a long name');
      symlinkSync('loop', '/tmp/loop');
      for (let depth = 0; depth < 3000; depth++) {
        mkdirSync('d');
        process.chdir('d');
      }
      chmodSync('/tmp', 0);
    });
    expect(outcome).toBe('OK');
  });
});

describe('`filesystem: true`', () => {
  let probe: TestPlugin;
  beforeAll(async () => {
    probe = await createPlugin('filesystem-scratch', {
      manifest: {
        permissions: { filesystem: true },
        resources: { memory_mb: 128, cpu_percent: 100, timeout_seconds: 10, scratch_mb: 24, tmp_mb: 8 },
      },
    });
  });
  afterAll(() => probe[Symbol.asyncDispose]());

  test('gives a writable /scratch, and nothing else', async () => {
    expect(await probe.ask(write, '/scratch/file')).toBe('written');
    expect(await probe.ask(write, '/plugin/file')).toMatch(/^(EROFS|EACCES)$/);
    expect(await probe.ask(write, '/file')).toMatch(/^(EROFS|EACCES)$/);
  });

  test('gives a /scratch that is empty at every call (P7)', async () => {
    expect(await probe.ask(read, '/scratch/file')).toBe('ENOENT');
  });

  test.each([
    ['/scratch', 24],
    ['/tmp', 8],
  ])('gives %s the requested %d MB', async (folder, megabytes) => {
    const filled = await probe.ask((path: string) => {
      const { appendFileSync } = process.getBuiltinModule('node:fs');
      const chunk = Buffer.alloc(1024 * 1024, 1);
      for (let count = 0; ; count++) {
        try {
          appendFileSync(`${path}/fill`, chunk);
        } catch (error) {
          return [count, (error as NodeJS.ErrnoException).code] as const;
        }
      }
    }, folder);
    expect(filled[0]).toBe(megabytes);
    expect(filled[1]).toMatch(/^(ENOSPC|EFBIG)$/);
  });

  test('gives a /scratch with a limit of files, from which nothing can be run', async () => {
    const [count, code, loading] = await probe.ask(() => {
      const { copyFileSync, mkdirSync, readdirSync, writeFileSync } = process.getBuiltinModule('node:fs');
      const folder = readdirSync('/lib').find((name) => name.endsWith('-linux-gnu'));
      copyFileSync(`/lib/${folder}/libm.so.6`, '/scratch/native.node');
      let loading = 'loaded';
      try {
        process.dlopen({ exports: {} }, '/scratch/native.node');
      } catch (error) {
        loading = String(error);
      }
      mkdirSync('/scratch/many');
      for (let count = 0; ; count++) {
        try {
          writeFileSync(`/scratch/many/${count}`, '');
        } catch (error) {
          return [count, (error as NodeJS.ErrnoException).code, loading] as const;
        }
      }
    });
    expect(loading).toMatch(/failed to map segment|Operation not permitted/);
    expect(code).toBe('ENOSPC');
    expect(count).toBeGreaterThan(16_000);
    expect(count).toBeLessThan(16_384);
  });

  test('is denied when the policy does not allow it', async () => {
    const asks = { manifest: { permissions: { filesystem: true } } };
    await expect(
      createPlugin('filesystem-denied', asks, { policy: { allow: { scratch: false } } }),
    ).rejects.toMatchObject({
      code: 'POLICY_DENIED',
      problems: [{ path: 'permissions.filesystem', message: expect.stringContaining('allow.scratch') }],
    });
  });
});

describe('a mount', () => {
  let open: SharedFolder;
  let closed: SharedFolder;
  let probe: TestPlugin;
  let policy: object;

  beforeAll(async () => {
    open = await createSharedFolder();
    closed = await createSharedFolder();
    await writeFile(join(open.path, 'greeting'), 'hello from the host');
    await writeFile(join(closed.path, 'greeting'), 'read me only');
    policy = {
      allow: { mounts: { open: { path: open.path, mode: 'rw' }, closed: { path: closed.path, mode: 'ro' } } },
      plugins: { 'filesystem-mounts': { allow: { mounts: ['open', 'closed'] } } },
    };
    const asks = { manifest: { permissions: { filesystem: { mounts: { open: 'rw', closed: 'ro' } } } } };
    probe = await createPlugin('filesystem-mounts', asks, { policy });
  });
  afterAll(async () => {
    await probe[Symbol.asyncDispose]();
    await open[Symbol.asyncDispose]();
    await closed[Symbol.asyncDispose]();
  });

  test('that is "ro" can be read and not written to', async () => {
    expect(await probe.ask(read, '/mnt/closed/greeting')).toBe('read me only');
    for (const path of ['/mnt/closed/greeting', '/mnt/closed/new'])
      expect(await probe.ask(write, path)).toBe('EROFS');
    expect(await readdir(closed.path)).toEqual(['greeting']);
  });

  test('that is "rw" can be written to, and what is written stays', async () => {
    expect(await probe.ask(read, '/mnt/open/greeting')).toBe('hello from the host');
    expect(await probe.ask(write, '/mnt/open/answer')).toBe('written');
    expect(await readFile(join(open.path, 'answer'), 'utf8')).toBe('written by the plugin');
    const uid = probe.lurkbox.plugins.get('filesystem-mounts')?.grant.uid;
    expect(await lstat(join(open.path, 'answer'))).toMatchObject({ uid, gid: uid });
  });

  test('does not show what lies beside the folder', async () => {
    const seen = await probe.ask(() => {
      const { readdirSync } = process.getBuiltinModule('node:fs');
      return [readdirSync('/mnt').sort(), readdirSync('/mnt/open/..').sort()];
    });
    expect(seen).toEqual([
      ['closed', 'open'],
      ['closed', 'open'],
    ]);
  });

  test('that is requested as "ro" is not writable although the policy says "rw"', async () => {
    const asks = { manifest: { permissions: { filesystem: { mounts: { open: 'ro' } } } } };
    await using modest = await createPlugin('filesystem-mounts', asks, { policy });
    expect(await modest.ask(write, '/mnt/open/new')).toBe('EROFS');
    expect(await modest.ask(read, '/mnt/closed/greeting')).toBe('ENOENT');
  });

  test('in which the plugin planted a link is never followed by the host', async () => {
    await using secret = await createSharedFolder();
    await writeFile(join(secret.path, 'secret'), 'of the host');
    const planted = await probe.ask(
      (target: string) => {
        const { readFileSync, symlinkSync, writeFileSync } = process.getBuiltinModule('node:fs');
        symlinkSync(target, '/mnt/open/link');
        symlinkSync('/etc/passwd', '/mnt/open/passwd');
        const attempt = (act: () => unknown): unknown => {
          try {
            return act() ?? 'done';
          } catch (error) {
            return (error as NodeJS.ErrnoException).code;
          }
        };
        return [
          attempt(() => readFileSync('/mnt/open/link', 'utf8')),
          attempt(() => writeFileSync('/mnt/open/link', 'overwritten')),
          attempt(() => writeFileSync('/mnt/open/passwd', 'overwritten')),
        ];
      },
      join(secret.path, 'secret'),
    );
    // In the container the links lead to paths of the container: one that is not there, and one that is read-only.
    expect(planted).toEqual(['ENOENT', 'ENOENT', 'EROFS']);
    expect(await probe.ask(read, '/mnt/open/link')).toBe('ENOENT');
    expect(await readlink(join(open.path, 'link'))).toBe(join(secret.path, 'secret'));
    expect(await readFile(join(secret.path, 'secret'), 'utf8')).toBe('of the host');
    expect(await readdir(secret.path)).toEqual(['secret']);
  });

  test('whose folder became a link after the policy was read is not followed', async () => {
    await using outer = await createSharedFolder();
    await using secret = await createSharedFolder();
    await writeFile(join(secret.path, 'greeting'), 'of the host');
    const path = join(outer.path, 'inner');
    await mkdir(path);
    const asks = { manifest: { permissions: { filesystem: { mounts: { inner: 'ro' } } } } };
    await using plugin = await createPlugin('filesystem-swapped', asks, {
      policy: {
        allow: { mounts: { inner: { path, mode: 'ro' } } },
        plugins: { 'filesystem-swapped': { allow: { mounts: ['inner'] } } },
      },
    });
    await rmdir(path);
    await symlink(secret.path, path);
    const { outcome, result } = await plugin.run(read, '/mnt/inner/greeting');
    expect({ outcome, result }).not.toEqual({ outcome: 'OK', result: 'of the host' });
  });

  test('inside a writable one does not lead out of it', async () => {
    await using outer = await createSharedFolder();
    await using secret = await createSharedFolder();
    await writeFile(join(secret.path, 'greeting'), 'of the host');
    await mkdir(join(outer.path, 'inner'));
    const mounts = {
      outer: { path: outer.path, mode: 'rw' },
      inner: { path: join(outer.path, 'inner'), mode: 'ro' },
    };
    const asks = { manifest: { permissions: { filesystem: { mounts: { outer: 'rw', inner: 'ro' } } } } };
    const nested = {
      allow: { mounts },
      plugins: { 'filesystem-nested': { allow: { mounts: ['outer', 'inner'] } } },
    };
    const plugin = await createPlugin('filesystem-nested', asks, { policy: nested }).catch((error) => {
      // To refuse such a policy is as good.
      expect(error).toMatchObject({ code: 'POLICY_INVALID' });
      return null;
    });
    if (plugin === null) return;
    await using _ = plugin;
    await plugin.run((target: string) => {
      const { renameSync, symlinkSync } = process.getBuiltinModule('node:fs');
      renameSync('/mnt/outer/inner', '/mnt/outer/moved');
      symlinkSync(target, '/mnt/outer/inner');
    }, secret.path);
    const { result } = await plugin.run(read, '/mnt/inner/greeting');
    expect(result).not.toBe('of the host');
  });

  test.each<[title: string, mounts: object, message: RegExp]>([
    [
      'the policy does not name',
      { other: 'ro' },
      /asks for the mount "other", which the policy does not give this plugin/,
    ],
    ['it may only read, as "rw",', { closed: 'rw' }, /asks for "rw", and the policy allows "ro"/],
  ])('that %s is denied', async (_, mounts, message) => {
    const asks = { manifest: { permissions: { filesystem: { mounts } } } };
    await expect(createPlugin('filesystem-mounts', asks, { policy })).rejects.toMatchObject({
      code: 'POLICY_DENIED',
      problems: [{ message: expect.stringMatching(message) }],
    });
  });

  test('through a link, or of a place that controls the host, is an error of the policy', async () => {
    await using folder = await createSharedFolder();
    await symlink('/usr', join(folder.path, 'link'));
    for (const path of [
      join(folder.path, 'link'),
      '/etc',
      '/proc',
      '/var/run',
      '/',
      '/var/lib/docker/overlay2',
    ]) {
      const bad = { allow: { mounts: { x: { path, mode: 'ro' } } } };
      await expect(createPlugin('filesystem-bad', {}, { policy: bad })).rejects.toMatchObject({
        code: 'POLICY_INVALID',
      });
    }
  });
});
