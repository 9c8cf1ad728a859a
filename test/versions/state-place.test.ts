import { execFile, execFileSync } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  cpSync,
  existsSync,
  linkSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { createLurkbox } from '../../src/index.ts';
import { NO_ENGINE, runCli, SOURCE } from '../cli/run-cli.ts';
import { createWorkspace, type Workspace } from '../helpers/workspace.ts';

const IS_ROOT = process.getuid?.() === 0;
const STRANGER = 12_345;

let workspace: Workspace;
let victim: string;

beforeEach(async () => {
  workspace = await createWorkspace();
  await workspace.addPlugin('nice', { manifest: { permissions: { filesystem: true } } });
  // A place of somebody else, as deep as the copies of plugins are, with a state folder of its own.
  victim = mkdtempSync(join(tmpdir(), 'lurkbox-victim-'));
  for (const path of [
    'projects/thesis/chapter-1/text.md',
    'head.db',
    'audit-000001.jsonl',
    'image-1.1.1-abc/x',
  ])
    put(join(victim, path), 'years of work');
});
afterEach(async () => {
  rmSync(victim, { recursive: true, force: true });
  await workspace[Symbol.asyncDispose]();
});

const state = (...names: string[]) => join(workspace.root, '.lurkbox', ...names);

function put(path: string, content: string): void {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, content);
}

const open = () => createLurkbox({ workspaceRoot: workspace.root, maxWarm: 0, env: NO_ENGINE });

async function fill(): Promise<void> {
  await using lurkbox = await open();
  await lurkbox.plugins.discoverAndLoadAll(workspace.root);
}

const list = (...args: string[]) =>
  runCli(['list', '--workspace', workspace.root, ...args], { program: SOURCE, env: NO_ENGINE });

/** Names, kinds, modes and contents of everything below a folder. */
function picture(folder: string): unknown {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .sort()
    .map((name) => {
      const stats = lstatSync(join(folder, name));
      return [
        name,
        stats.mode,
        stats.uid,
        stats.isFile() ? readFileSync(join(folder, name), 'latin1') : null,
      ];
    });
}

describe('a link in the place of the state folder', () => {
  const places = ['', 'plugins', 'plugins-without-record', 'audit', 'tmp', 'packages'];

  test.each(places)('at .lurkbox/%s is refused before anything is touched (P10)', async (name) => {
    await fill();
    rmSync(state(name), { recursive: true, force: true });
    symlinkSync(victim, state(name));
    const before = [picture(victim), picture(workspace.root)];
    await expect(open()).rejects.toMatchObject({
      code: 'REGISTRY_INVALID',
      message: expect.stringMatching(
        /symbolic link.*; nothing was read or changed\. Find out who put it there/,
      ),
    });
    expect([picture(victim), picture(workspace.root)]).toEqual(before);
  });

  test('is refused without a registry beside it, too', async () => {
    mkdirSync(state());
    symlinkSync(victim, state('plugins'));
    const before = picture(victim);
    expect((await list()).exitCode).toBe(2);
    expect(picture(victim)).toEqual(before);
  });

  test('to another workspace of the same user brings in nothing from there', async () => {
    await using other = await createWorkspace();
    await other.addPlugin('nice', { manifest: { permissions: { filesystem: true } } });
    await (await createLurkbox({ workspaceRoot: other.root, maxWarm: 0, env: NO_ENGINE })).close();
    symlinkSync(join(other.root, '.lurkbox'), state());
    await expect(open()).rejects.toMatchObject({ code: 'REGISTRY_INVALID' });
  });

  test('is allowed on the path to the workspace, which a person wrote', async () => {
    await fill();
    const link = join(victim, 'link');
    symlinkSync(workspace.root, link);
    await using lurkbox = await createLurkbox({ workspaceRoot: link, maxWarm: 0, env: NO_ENGINE });
    await lurkbox.plugins.discoverAndLoadAll(link);
    expect(lurkbox.registry.get('nice')?.versions).toHaveLength(1);
    expect(lurkbox.registry.repairs).toEqual([]);
  });
});

const FILES = [
  'registry.db',
  'registry.db-wal',
  'registry.lock',
  'registry.backup.db',
  'registry.db.new',
  'registry.v1.db',
  'registry.v1.db.new',
  'activity.db',
  'activity.db-shm',
  'audit/head.db',
  'audit/audit-000001.jsonl',
];

describe('a file in the state folder', () => {
  test.each(FILES)(
    '%s that is a link, a pipe or has a second name is refused, and nothing is touched (P10)',
    async (name) => {
      await fill();
      const makers = [
        () => symlinkSync(join(victim, 'head.db'), state(name)),
        () => symlinkSync(join(victim, 'not-there'), state(name)),
        () => linkSync(join(victim, 'head.db'), state(name)),
        () => execFileSync('mkfifo', [state(name)]),
        () => mkdirSync(state(name)),
      ];
      for (const make of makers) {
        rmSync(state(name), { recursive: true, force: true });
        make();
        const before = [picture(victim), lstatSync(state(name)).ino];
        await expect(open()).rejects.toMatchObject({
          code: 'REGISTRY_INVALID',
          message: expect.stringMatching(/Expected a regular file at|has a second name elsewhere/),
        });
        expect([picture(victim), lstatSync(state(name)).ino]).toEqual(before);
      }
    },
  );

  test('that lurkbox did not make is left alone', async () => {
    await fill();
    put(state('readme'), 'mine');
    symlinkSync(victim, state('my-link'));
    await using lurkbox = await open();
    expect(lurkbox.registry.get('nice')).not.toBeNull();
    expect(readFileSync(state('readme'), 'utf8')).toBe('mine');
  });
});

describe('other users', () => {
  test('cannot enter state folders, whatever the umask is', async () => {
    const before = process.umask(0);
    try {
      await fill();
    } finally {
      process.umask(before);
    }
    for (const name of ['', 'plugins', 'plugins/nice', 'plugins/nice/1.0.0', 'audit', 'tmp'])
      expect([name, lstatSync(state(name)).mode & 0o777]).toEqual([name, 0o700]);
  });

  test('lose their access to a state folder at the next start', async () => {
    await fill();
    for (const name of ['', 'plugins', 'audit']) chmodSync(state(name), 0o777);
    await fill();
    for (const name of ['', 'plugins', 'audit'])
      expect([name, lstatSync(state(name)).mode & 0o777]).toEqual([name, 0o700]);
  });

  test.runIf(IS_ROOT).each(['', 'plugins', 'audit', 'registry.db', 'activity.db', 'audit/head.db'])(
    'cannot have their own store read as .lurkbox/%s',
    async (name) => {
      await fill();
      chownSync(state(name), STRANGER, STRANGER);
      const before = picture(workspace.root);
      await expect(open()).rejects.toMatchObject({
        code: 'REGISTRY_INVALID',
        message: expect.stringMatching(
          /belongs to the user 12345, and lurkbox runs as 0: .* nothing in it counts as agreed to/,
        ),
      });
      expect(picture(workspace.root)).toEqual(before);
    },
  );

  test.runIf(IS_ROOT)('the commands say that a store is that of another user', async () => {
    await fill();
    chownSync(state(), STRANGER, STRANGER);
    const before = picture(workspace.root);
    for (const command of [['list'], ['audit', 'verify']]) {
      const options = { program: SOURCE, env: NO_ENGINE };
      const { exitCode, stdout, stderr } = await runCli([...command, '--workspace', workspace.root], options);
      expect({ exitCode, stdout }).toEqual({ exitCode: 2, stdout: '' });
      expect(stderr).toContain('belongs to the user 12345');
    }
    expect(picture(workspace.root)).toEqual(before);
  });

  test.runIf(IS_ROOT)('a plugin folder is tried out beside a store of another user', async () => {
    await fill();
    chownSync(state(), STRANGER, STRANGER);
    const before = picture(workspace.root);
    const lurkbox = await createLurkbox({
      workspaceRoot: workspace.root,
      persist: false,
      maxWarm: 0,
      env: NO_ENGINE,
    });
    await lurkbox.plugins.loadPlugin(join(workspace.root, 'plugins/nice'));
    await lurkbox.close();
    expect(picture(workspace.root)).toEqual(before);
  });
});

test('a state folder that is moved away while it is used is no longer read or written (P10)', async () => {
  await using lurkbox = await open();
  await lurkbox.plugins.discoverAndLoadAll(workspace.root);
  renameSync(state(), join(workspace.root, 'aside'));
  symlinkSync(victim, state());
  const before = picture(victim);
  expect(() => lurkbox.registry.list()).toThrow('was moved, removed or replaced while it was in use');
  await expect(lurkbox.plugins.unloadPlugin('nice')).rejects.toMatchObject({ code: 'REGISTRY_INVALID' });
  expect(picture(victim)).toEqual(before);
  rmSync(state());
  renameSync(join(workspace.root, 'aside'), state());
  expect(lurkbox.registry.list()).toHaveLength(1);
});

test('a registry that was copied from another workspace reads and removes nothing there (P10)', async () => {
  await using other = await createWorkspace();
  const folder = await other.addPlugin('nice', {});
  {
    await using lurkbox = await createLurkbox({ workspaceRoot: other.root, maxWarm: 0, env: NO_ENGINE });
    await lurkbox.plugins.discoverAndLoadAll(other.root);
    await lurkbox.plugins.loadPlugin(
      await workspace.addPlugin('../elsewhere', { manifest: { name: 'elsewhere' } }),
    );
  }
  cpSync(join(other.root, '.lurkbox'), state(), { recursive: true });
  const before = [picture(other.root), picture(join(workspace.root, 'elsewhere'))];
  await using lurkbox = await open();
  expect(lurkbox.registry.get('nice')?.origin.path).toBe(join(workspace.root, 'plugins/nice'));
  await lurkbox.plugins.unloadPlugin('nice');
  await lurkbox.plugins.unloadPlugin('elsewhere');
  expect([picture(other.root), picture(join(workspace.root, 'elsewhere'))]).toEqual(before);
  expect(existsSync(folder)).toBe(true);
});

describe.runIf(IS_ROOT)('where nothing can be written', () => {
  /** In a mount namespace of its own, which goes with the process and takes the mount along. */
  const readOnly = async (job: string) => {
    const program = join(import.meta.dirname, '../helpers/read-only.ts');
    const { stdout } = await promisify(execFile)('unshare', [
      '-m',
      process.execPath,
      program,
      workspace.root,
      job,
    ]);
    return JSON.parse(stdout);
  };

  test('the stores are read from a read-only mount, and one line says that nothing is kept', async () => {
    await fill();
    const before = picture(workspace.root);
    const { list, again, info, documents, verify, disabled, leftovers } = await readOnly('workspace');
    for (const listed of [list, again]) {
      expect(listed).toMatchObject({ exitCode: 0, stdout: expect.stringMatching(/^nice +1\.0\.0/m) });
      expect(listed.stderr).toMatch(
        /^lurkbox: ".*\.lurkbox" cannot be written: it is read as it is, and nothing is kept.*\n$/,
      );
    }
    expect(info).toMatchObject({ exitCode: 0, stdout: expect.stringContaining('ENABLED') });
    for (const { exitCode, stdout, stderr } of documents) {
      expect(exitCode).toBe(0);
      expect(JSON.parse(stdout)).toBeTypeOf('object');
      expect(stderr).toMatch(/^lurkbox: .*nothing is kept.*\n$/);
    }
    expect(verify).toMatchObject({ exitCode: 0, stdout: expect.stringContaining('nothing was changed') });
    expect(disabled).toMatchObject({
      exitCode: 2,
      stderr: expect.stringContaining('so nothing was changed'),
    });
    expect(leftovers).toEqual([]);
    expect(picture(workspace.root)).toEqual(before);
  });

  test('an older store is read there too, and stays what it is', async () => {
    cpSync(join(import.meta.dirname, '../fixtures/stores/v1/state'), state(), { recursive: true });
    const before = picture(workspace.root);
    const { list, verify } = await readOnly('workspace');
    expect(list).toMatchObject({ exitCode: 0, stdout: expect.stringMatching(/^weather +1\.1\.0/m) });
    expect(verify).toMatchObject({ exitCode: 0 });
    expect(picture(workspace.root)).toEqual(before);
  });

  test('what a process left in the log of its database is read as well', async () => {
    await fill();
    const killed = promisify(execFile)(process.execPath, [
      join(import.meta.dirname, '../helpers/disable-and-die.ts'),
      workspace.root,
      'nice',
    ]);
    await expect(killed).rejects.toMatchObject({ signal: 'SIGKILL' });
    expect(lstatSync(state('registry.db-wal')).size).toBeGreaterThan(0);
    expect((await readOnly('workspace')).info.stdout).toContain('DISABLED');
  });

  test('a workspace without a state folder is used, and nothing is kept', async () => {
    const { list } = await readOnly('workspace');
    expect(list).toMatchObject({ exitCode: 0, stdout: expect.stringMatching(/^nice +1\.0\.0/m) });
    expect(list.stderr).toMatch(/^lurkbox: ".*" cannot be written: nothing is kept.*\n$/);
  });

  test('of another user it is not read either', async () => {
    await fill();
    chownSync(state(), STRANGER, STRANGER);
    const { list } = await readOnly('workspace');
    expect(list).toMatchObject({ exitCode: 2, stderr: expect.stringContaining('belongs to the user 12345') });
  });
});
