import { mkdir, readdir, readlink, rm, symlink, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { createLurkbox, type Lurkbox, type LurkboxOptions } from '../../src/index.ts';
import { createWorkspace, type Workspace } from '../helpers/workspace.ts';

const NO_ENGINE = { ...process.env, DOCKER_HOST: 'unix:///nonexistent/docker.sock' };

let workspace: Workspace;
let folder: string;

beforeEach(async () => {
  workspace = await createWorkspace();
  folder = await workspace.addPlugin('one', {
    manifest: { dependencies: 'vendored' },
    files: { 'node_modules/.store/a/index.js': 'a', 'lib/index.js': '' },
  });
  await symlink('.store/a', join(folder, 'node_modules/a'));
});
afterEach(() => workspace[Symbol.asyncDispose]());

function open(options: LurkboxOptions = {}): Promise<Lurkbox> {
  return createLurkbox({ workspaceRoot: workspace.root, policy: {}, maxWarm: 0, env: NO_ENGINE, ...options });
}

const copiesFolder = () => join(workspace.root, '.lurkbox/plugins/one/1.0.0');

async function write(path: string, content = ''): Promise<void> {
  await mkdir(dirname(join(folder, path)), { recursive: true });
  await writeFile(join(folder, path), content);
}

describe('a plugin that brings its packages along', { timeout: 60_000 }, () => {
  test('is copied with its links, runs from the copy, and leaves nothing when it is unloaded', async () => {
    await using lurkbox = await open();
    const { plugin } = await lurkbox.plugins.loadPlugin(folder);
    const [copy] = await readdir(copiesFolder());
    expect(copy).toBe(plugin.content.slice('sha256:'.length));
    expect(await readlink(join(copiesFolder(), `${copy}/node_modules/a`))).toBe('.store/a');
    await rm(join(folder, 'node_modules'), { recursive: true });
    expect(await lurkbox.plugins.readFiles('one')).toMatchObject({
      digest: plugin.digest,
      links: [{ path: 'node_modules/a', target: '.store/a' }],
    });
    await lurkbox.plugins.unloadPlugin('one');
    await expect(readdir(copiesFolder())).rejects.toMatchObject({ code: 'ENOENT' });
  });

  test.each([
    ['leads elsewhere', async (link: string) => symlink('../lib', link)],
    ['leads out', async (link: string) => symlink('/etc', link)],
    ['is a folder', async (link: string) => void (await mkdir(link))],
    ['is gone', async () => {}],
  ])('counts as changed when a link of its copy %s', async (_, make) => {
    await using lurkbox = await open();
    await lurkbox.plugins.loadPlugin(folder);
    const link = join(copiesFolder(), `${(await readdir(copiesFolder()))[0]}/node_modules/a`);
    await rm(link);
    await make(link);
    await expect(lurkbox.plugins.readFiles('one')).rejects.toMatchObject({ code: 'MANIFEST_INVALID' });
    // Loading it again mends the copy.
    await lurkbox.plugins.loadPlugin(folder);
    expect((await lurkbox.plugins.readFiles('one')).links).toHaveLength(1);
  });

  test('is another version with other packages, and can be rolled back to the former one', async () => {
    await using lurkbox = await open();
    const { plugin: first } = await lurkbox.plugins.loadPlugin(folder);
    await write('node_modules/.store/a/index.js', 'newer');
    const { plugin: second } = await lurkbox.plugins.loadPlugin(folder);
    expect(second.digest).not.toBe(first.digest);
    expect(lurkbox.plugins.rollbackPlugin('one').plugin.digest).toBe(first.digest);
    expect(lurkbox.registry.get('one')?.versions.map(({ lock }) => lock)).toEqual([null, null]);
    expect(await lurkbox.plugins.lockPackages('one')).toMatchObject({ digest: second.digest });
  });

  test('is held to the limits of the policy, and a pin covers its packages', async () => {
    for (let index = 0; index < 5; index++) await write(`node_modules/.store/a/${index}`);
    await using few = await open({ policy: { vendored: { max_entries: 5 } } });
    await expect(few.plugins.loadPlugin(folder)).rejects.toMatchObject({
      problems: [{ message: expect.stringContaining('more than 5 files and folders') }],
    });
    await few.close();
    await using enough = await open();
    const { plugin } = await enough.plugins.loadPlugin(folder);
    await enough.close();
    await write('node_modules/.store/a/index.js', 'changed');
    await using pinned = await open({ policy: { plugins: { one: { digest: plugin.digest } } } });
    await expect(pinned.plugins.loadPlugin(folder)).rejects.toMatchObject({
      code: 'POLICY_DENIED',
      problems: [{}, { message: expect.stringContaining('changed `node_modules/.store/a/index.js`') }],
    });
  });

  test('is run from its folder when nothing is stored', async () => {
    await using lurkbox = await open({ persist: false });
    const { plugin } = await lurkbox.plugins.loadPlugin(folder);
    expect(await lurkbox.plugins.executePlugin('one')).toMatchObject({
      outcome: 'ENGINE_UNAVAILABLE',
      digest: plugin.digest,
    });
  });
});
