import { execFile } from 'node:child_process';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import { createLurkbox, type Lurkbox } from '../../src/index.ts';
import { loadPlugin } from '../../src/manifest/load.ts';
import { createWorkspace, type Workspace } from '../helpers/workspace.ts';

const SOURCE = join(import.meta.dirname, '../../src');
const LIFE = join(import.meta.dirname, 'life.ts');
const NO_ENGINE = { DOCKER_HOST: 'unix:///nonexistent/docker.sock' };

async function prepare(): Promise<Workspace> {
  const workspace = await createWorkspace();
  await workspace.addPlugin('../one', { manifest: { name: 'life', version: '1.0.0' } });
  await workspace.addPlugin('../two', {
    manifest: { name: 'life', version: '2.0.0', permissions: { filesystem: true } },
  });
  return workspace;
}

/** Answers the number of steps, or `null` when it was killed. */
async function live(root: string, killAt: number): Promise<number | null> {
  try {
    const { stdout } = await promisify(execFile)(process.execPath, [LIFE, SOURCE, root, String(killAt)]);
    return Number(stdout);
  } catch (error) {
    const { signal, stderr } = error as { signal?: string; stderr?: string };
    if (signal !== 'SIGKILL') throw new Error(`it ended otherwise: ${stderr}`);
    return null;
  }
}

/** What must be true whatever happened: every version is whole, nothing is there that nobody knows, nothing was mended. */
async function assertWhole(root: string, lurkbox: Lurkbox): Promise<void> {
  expect(lurkbox.registry.repairs).toEqual([]);
  const records = lurkbox.registry.list();
  const folders = records.flatMap(({ versions }) => versions.map(({ folder }) => folder));
  for (const { versions, active } of records) {
    // Installed and not active yet, or active.
    expect(active?.state ?? 'none').toMatch(/^(none|ENABLED)$/);
    for (const { folder, digest } of versions)
      expect((await loadPlugin(join(root, '.lurkbox', folder))).digest).toBe(digest);
  }
  const parent = join(root, '.lurkbox/plugins/life');
  const found: string[] = [];
  for (const version of await readdir(parent).catch(() => []))
    for (const digest of await readdir(join(parent, version)))
      found.push(`plugins/life/${version}/${digest}`);
  expect(found.sort()).toEqual([...folders].sort());
}

test('a process that is killed at any moment has either done or not done an install, update, rollback or unload', async () => {
  await using whole = await prepare();
  const steps = await live(whole.root, 0);
  expect(steps).toBeGreaterThan(30);
  for (let killAt = 1; killAt <= (steps as number); killAt++) {
    await using workspace = await prepare();
    expect(await live(workspace.root, killAt)).toBeNull();
    await using lurkbox = await createLurkbox({ workspaceRoot: workspace.root, maxWarm: 0, env: NO_ENGINE });
    await assertWhole(workspace.root, lurkbox).catch((cause: unknown) => {
      throw new Error(`killed before step ${killAt} of ${steps}`, { cause });
    });
    // And the life goes on from there.
    await lurkbox.plugins.loadPlugin(join(workspace.root, 'one'));
    expect(lurkbox.plugins.get('life')?.version).toBe('1.0.0');
    await lurkbox.plugins.unloadPlugin('life');
    await assertWhole(workspace.root, lurkbox);
  }
}, 300_000);

test('two processes that install and activate at once leave every version whole', async () => {
  await using workspace = await prepare();
  const ends = await Promise.allSettled([1, 2].map(() => live(workspace.root, 0)));
  // The one may unload what the other is about to use, and is told so.
  expect(ends.map(({ status }) => status)).toContain('fulfilled');
  await using lurkbox = await createLurkbox({ workspaceRoot: workspace.root, maxWarm: 0, env: NO_ENGINE });
  await assertWhole(workspace.root, lurkbox);
}, 60_000);
