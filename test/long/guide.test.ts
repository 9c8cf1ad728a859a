import { execFile } from 'node:child_process';
import { cpSync, globSync, mkdirSync, readFileSync, renameSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { connectEngine } from '../../src/engine/docker/connect.ts';
import { LABELS } from '../../src/labels.ts';
import { createWorkspace, type Workspace } from '../helpers/workspace.ts';

/** Tries the commands and programs of the guide as whoever reads it would; test/container/authors.test.ts has those for authors. */

const ROOT = join(import.meta.dirname, '../..');
const OWN = ['weather', 'mail-gateway', 'notes'];
/**
 * A digest that the reader has to fill in, what changes the host or never ends, what other tests on the engine would miss, and what
 * forgets the plugin that other pages use.
 */
const NOT_TRIED = /…|chown|^ssh |--follow|--attack|prune|--take-name|registry\.v1|--empty/;

const run = promisify(execFile);
let workspace: Workspace;

beforeAll(async () => {
  workspace = await createWorkspace();
  for (const name of ['mail-gateway', 'notes']) await workspace.addPlugin(name);
  for (const version of ['1.0', '1.1']) {
    const folder = await workspace.addPlugin('weather', { manifest: { version: `${version}.0` } });
    renameSync(folder, join(workspace.root, `weather-${version}`));
  }
  for (const folder of ['plugins', 'examples'])
    cpSync(join(ROOT, folder), join(workspace.root, folder), { recursive: true });
  const packages = join(workspace.root, 'node_modules');
  mkdirSync(join(packages, '.bin'), { recursive: true });
  symlinkSync(ROOT, join(packages, 'lurkbox'));
  symlinkSync(join(ROOT, 'bin/lurkbox.js'), join(packages, '.bin/lurkbox'));
  await inShell('lurkbox load ./weather-1.0');
});
afterAll(async () => {
  const engine = await connectEngine();
  for (const name of OWN)
    for (const { tags } of await engine.listImages(`${LABELS.plugin}=${name}`))
      for (const tag of tags) await engine.removeImage(tag);
  await workspace[Symbol.asyncDispose]();
});

test.each(pagesWith('sh'))('every command of %s can be run', async (page) => {
  const policy = page.endsWith('permissions.md') ? blocksOf(page, 'json')[0] : '{}';
  writeFileSync(join(workspace.root, 'lurkbox.policy.json'), policy ?? '');
  const lines = blocksOf(page, 'sh').flatMap((block) => block.trim().split('\n'));
  for (const line of lines.filter((command) => !NOT_TRIED.test(command))) await inShell(line);
});

test.each(['agent/run-plugins.md', 'agent/workflow.md'])('the program of %s runs', async (page) => {
  writeFileSync(join(workspace.root, 'lurkbox.policy.json'), '{}');
  const [program = ''] = blocksOf(page, 'ts');
  writeFileSync(join(workspace.root, 'agent.mjs'), program);
  await inShell('node agent.mjs');
});

function pagesWith(language: string): string[] {
  const pages = globSync(['operator/*.md', 'agent/*.md'], { cwd: join(ROOT, 'docs/guide') }).sort();
  return pages.filter((page) => blocksOf(page, language).length > 0);
}

function blocksOf(page: string, language: string): string[] {
  const text = readFileSync(join(ROOT, 'docs/guide', page), 'utf8');
  const blocks = text.matchAll(/^```(\w*)\n([\s\S]*?)^```$/gm);
  return [...blocks].flatMap(([, info, block = '']) => (info === language ? [block] : []));
}

/** @throws with what it printed where the exit code is another than 0 */
async function inShell(line: string): Promise<void> {
  const bin = join(workspace.root, 'node_modules/.bin');
  const env = {
    ...process.env,
    PATH: `${bin}:${dirname(process.execPath)}:${process.env['PATH']}`,
    NODE_COMPILE_CACHE: join(ROOT, 'node_modules/.cache/lurkbox-cli'),
  };
  const { stderr } = await run('bash', ['-eo', 'pipefail', '-c', line], { cwd: workspace.root, env });
  expect(stderr).not.toMatch(/^\s+at /m);
}
