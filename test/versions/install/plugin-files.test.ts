import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { createLurkbox } from '../../../src/index.ts';
import { loadPlugin } from '../../../src/manifest/load.ts';
import { CopiedFiles } from '../../../src/versions/install/plugin-files.ts';
import { createWorkspace, type Workspace } from '../../helpers/workspace.ts';

const NO_ENGINE = { DOCKER_HOST: 'unix:///nonexistent/docker.sock' };

let workspace: Workspace;
let state: string;
let victim: string;

beforeEach(async () => {
  workspace = await createWorkspace();
  state = join(workspace.root, '.lurkbox');
  victim = join(workspace.root, 'home-of-somebody');
  put(join(victim, 'projects/thesis/chapter-1/text'), 'years of work');
  put(join(victim, 'plugins/name/1.0.0/text'), 'years of work');
  mkdirSync(state, { recursive: true });
});
afterEach(() => workspace[Symbol.asyncDispose]());

describe('a link in the state folder', () => {
  test.each<[string, () => void]>([
    ['at `plugins`', () => symlinkSync(victim, join(state, 'plugins'))],
    ['at the state folder itself', () => replace(state, victim)],
  ])('%s stops the removal of old copies, and its target is untouched', (_where, make) => {
    make();
    const files = new CopiedFiles(state);
    for (const keep of [true, false]) expect(() => files.sweep(new Set(), { keep })).toThrow(/symbolic link/);
    expectUntouched();
  });

  test.each(['plugins/name', 'plugins/name/1.0.0', 'plugins/name/1.0.0/content'])(
    'at %s is not removed',
    (path) => {
      mkdirSync(dirname(join(state, path)), { recursive: true });
      symlinkSync(join(victim, path.split('/').slice(0, -1).join('/')), join(state, path));
      const files = new CopiedFiles(state);
      expect(files.sweep(new Set(), { keep: false })).toEqual([]);
      expect(files.sweep(new Set(), { keep: true })).toEqual([]);
      expectUntouched();
    },
  );

  test('in a copy is removed with it, but its target is not', () => {
    mkdirSync(join(state, 'plugins/name/1.0.0/content'), { recursive: true });
    symlinkSync(victim, join(state, 'plugins/name/1.0.0/content/link'));
    const files = new CopiedFiles(state);
    expect(files.sweep(new Set(), { keep: false })).toEqual(['plugins/name/1.0.0/content']);
    expect(readdirSync(join(state, 'plugins'))).toEqual([]);
    expectUntouched();
  });

  test.each(['plugins', 'plugins/reader', 'plugins/reader/1.0.0', 'tmp', 'plugins-without-record'])(
    'at %s is not written through',
    async (path) => {
      const plugin = await loadPlugin(await workspace.addPlugin('reader'));
      mkdirSync(dirname(join(state, path)), { recursive: true });
      const before = readdirSync(victim);
      symlinkSync(victim, join(state, path));
      const files = new CopiedFiles(state);
      const stage = async () => {
        await using staged = await files.stage(plugin);
        staged.place();
        files.sweep(new Set(), { keep: true });
      };
      await expect(stage()).rejects.toMatchObject({ code: 'REGISTRY_INVALID' });
      expect(readdirSync(victim)).toEqual(before);
      expectUntouched();
    },
  );

  test('that appeared after a plugin was installed is not followed when it is unloaded', async () => {
    const plugin = await loadPlugin(await workspace.addPlugin('reader'));
    const files = new CopiedFiles(state);
    await using staged = await files.stage(plugin);
    staged.place();
    put(join(victim, ...staged.folder.split('/').slice(1), 'text'), 'theirs');
    replace(join(state, 'plugins'), victim);
    expect(() => files.remove({ folder: staged.folder })).toThrow(/symbolic link/);
    await expect(
      files.read({ ...plugin.manifest, ...plugin, folder: staged.folder } as never),
    ).rejects.toThrow(/symbolic link|breaks the rules/);
    expect(existsSync(join(victim, ...staged.folder.split('/').slice(1), 'text'))).toBe(true);
    expectUntouched();
  });

  test('is reported when a workspace is opened', async () => {
    symlinkSync(victim, join(state, 'plugins'));
    const open = createLurkbox({ workspaceRoot: workspace.root, env: NO_ENGINE });
    await expect(open).rejects.toMatchObject({ code: 'REGISTRY_INVALID' });
    expectUntouched();
  });
});

test.each(['../home-of-somebody', 'plugins/../../home-of-somebody', '/etc', 'plugins//x', ''])(
  'a record that names %j causes no removal',
  (folder) => {
    mkdirSync(join(state, 'plugins'));
    expect(() => new CopiedFiles(state).remove({ folder })).toThrow();
    expectUntouched();
  },
);

test('a workspace that is opened through a link is used at its real folder', async () => {
  await workspace.addPlugin('reader');
  const alias = `${workspace.root}-alias`;
  symlinkSync(workspace.root, alias);
  try {
    for (const workspaceRoot of [alias, workspace.root]) {
      await using lurkbox = await createLurkbox({ workspaceRoot, env: NO_ENGINE });
      expect(lurkbox.workspaceRoot).toBe(workspace.root);
      expect(await lurkbox.plugins.discoverAndLoadAll(workspaceRoot)).toMatchObject({ failed: [] });
      expect(lurkbox.plugins.list()).toMatchObject([{ name: 'reader' }]);
    }
  } finally {
    await rm(alias);
  }
});

test('a policy in the workspace is not read through a link, but a named policy is', async () => {
  put(join(victim, 'policy.json'), '{}');
  const policy = join(workspace.root, 'lurkbox.policy.json');
  symlinkSync(join(victim, 'policy.json'), policy);
  const options = { workspaceRoot: workspace.root, persist: false, env: NO_ENGINE };
  await expect(createLurkbox(options)).rejects.toMatchObject({
    code: 'POLICY_INVALID',
    message: expect.stringContaining('symbolic link'),
  });
  await (await createLurkbox({ ...options, policy })).close();
});

function put(path: string, content: string): void {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, content);
}

function replace(path: string, by: string): void {
  renameSync(path, `${path}-moved`);
  symlinkSync(by, path);
}

function expectUntouched(): void {
  expect(readFileSync(join(victim, 'projects/thesis/chapter-1/text'), 'utf8')).toBe('years of work');
  expect(readFileSync(join(victim, 'plugins/name/1.0.0/text'), 'utf8')).toBe('years of work');
}

describe('a copy of a plugin', () => {
  test('that an earlier release made with files of the operating system still counts as unchanged', async () => {
    const plugin = await loadPlugin(await workspace.addPlugin('one', { files: { '.DS_Store': 'x' } }), {
      names: 'all',
    });
    const files = new CopiedFiles(state);
    await using staged = await files.stage(plugin);
    staged.place();
    const { content, manifest } = plugin;
    const version = { name: 'one', version: '1.0.0', content, lock: null, folder: staged.folder, manifest };
    const origin = { kind: 'folder', path: plugin.folder };
    expect((await files.read({ ...version, origin } as never)).files).toEqual(plugin.files);
  });

  test('that was changed is refused with the names of the files, while its origin still has them', async () => {
    const plugin = await loadPlugin(await workspace.addPlugin('one'));
    const files = new CopiedFiles(state);
    await using staged = await files.stage(plugin);
    staged.place();
    writeFileSync(join(state, staged.folder, 'index.mjs'), 'changed');
    const { content } = plugin;
    const origin = { kind: 'folder', path: plugin.folder };
    const version = { name: 'one', version: '1.0.0', content, lock: null, folder: staged.folder, origin };
    await expect(files.read(version as never)).rejects.toMatchObject({
      problems: [{ message: expect.stringContaining('changed `index.mjs`') }],
    });
  });
});
