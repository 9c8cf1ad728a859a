import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdir, readlink } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { createLurkbox } from '../../src/index.ts';
import { type NpmRegistry, startNpmRegistry } from '../helpers/npm-registry.ts';
import { createWorkspace, type Workspace } from '../helpers/workspace.ts';

let workspace: Workspace;
let registry: NpmRegistry;

beforeEach(async () => {
  workspace = await createWorkspace();
  registry = await startNpmRegistry({
    name: 'dripping',
    serve: (response) => {
      response.writeHead(200, { 'content-length': '1000000' });
      const timer = setInterval(() => response.write('x'), 200);
      response.on('close', () => clearInterval(timer));
    },
  });
  await workspace.addPlugin('drips', { manifest: { name: 'drips', dependencies: ['dripping@1.0.0'] } });
  await workspace.addPlugin('honest', {
    manifest: { name: 'honest' },
    code: 'export const execute = () => "served";',
  });
});
afterEach(async () => {
  await registry[Symbol.asyncDispose]();
  await workspace[Symbol.asyncDispose]();
});

const environment = () => ({ ...process.env, ...registry.env });

describe('a build that hangs', () => {
  test('does not keep calls of other plugins from a slot, and its callers can leave at once (P10)', async () => {
    const env = environment();
    await using lurkbox = await createLurkbox({
      workspaceRoot: workspace.root,
      env,
      maxWarm: 0,
      concurrency: 2,
    });
    await lurkbox.plugins.discoverAndLoadAll(workspace.root);
    const callers = new AbortController();
    const { signal } = callers;
    const waiting = Array.from({ length: 3 }, () => lurkbox.plugins.executePlugin('drips', {}, { signal }));
    await expect
      .poll(() => registry.requests.some((path) => path.endsWith('.tgz')), { timeout: 60_000 })
      .toBe(true);
    expect(await lurkbox.plugins.executePlugin('honest')).toMatchObject({ outcome: 'OK', result: 'served' });
    callers.abort();
    for (const call of waiting) expect(await call).toMatchObject({ outcome: 'CANCELLED' });
  });

  test('ends with its orchestrator, however that ends, and leaves no file (P2, P10)', async () => {
    const code = `
      const { createLurkbox } = await import(${JSON.stringify(join(import.meta.dirname, '../../src/index.ts'))});
      const lurkbox = await createLurkbox({ workspaceRoot: ${JSON.stringify(workspace.root)}, maxWarm: 0 });
      await lurkbox.plugins.discoverAndLoadAll(${JSON.stringify(workspace.root)});
      void lurkbox.plugins.executePlugin('drips');
      console.log('called');
      setInterval(() => {}, 1000);`;
    const child = spawn(process.execPath, ['--input-type=module', '--eval', code], {
      env: environment(),
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    await once(createInterface(child.stdout), 'line');
    await expect
      .poll(() => registry.requests.some((path) => path.endsWith('.tgz')), { timeout: 60_000 })
      .toBe(true);
    expect((await processesBelow(workspace.root)).length).toBeGreaterThan(0);
    child.kill('SIGKILL');
    await expect.poll(() => processesBelow(workspace.root), { timeout: 10_000 }).toEqual([]);
    const temporary = join(workspace.root, '.lurkbox/tmp');
    await expect.poll(() => readdir(temporary).catch(() => []), { timeout: 10_000 }).toEqual([]);
  });
});

test('a failed build is not retried by the next call, but on request (P10)', async () => {
  const env = environment();
  await workspace.addPlugin('fails', { manifest: { name: 'fails', dependencies: ['not-published@1.0.0'] } });
  await using lurkbox = await createLurkbox({ workspaceRoot: workspace.root, env, maxWarm: 0 });
  await lurkbox.plugins.discoverAndLoadAll(workspace.root);
  const failed = { error: { code: 'DEPENDENCY_FAILED' } };
  expect(await lurkbox.plugins.executePlugin('fails')).toMatchObject(failed);
  const asked = registry.requests.length;
  expect(await lurkbox.plugins.executePlugin('fails')).toMatchObject(failed);
  expect(registry.requests.length).toBe(asked);
  await expect(lurkbox.plugins.prepare('fails')).rejects.toMatchObject({ code: 'DEPENDENCY_FAILED' });
  expect(registry.requests.length).toBeGreaterThan(asked);
});

/** Whose working folder lies in a folder. */
async function processesBelow(folder: string): Promise<string[]> {
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name));
  const folders = await Promise.all(pids.map((pid) => readlink(`/proc/${pid}/cwd`).catch(() => '')));
  return pids.filter((_, index) => folders[index]?.startsWith(`${folder}/`));
}
