import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { connectEngine } from '../../src/engine/docker/connect.ts';
import { LABELS } from '../../src/labels.ts';
import { runCli } from '../cli/run-cli.ts';
import { createWorkspace, type Workspace } from '../helpers/workspace.ts';

/** A block of code with what stands behind its fence. */
interface Block {
  readonly page: string;
  readonly info: string;
  readonly text: string;
}

const GUIDE = join(import.meta.dirname, '../../docs/guide/author');
/** Comes first, since the others go on with its plugin. */
const FIRST_PAGE = 'first-plugin.md';
const BLOCK = /^```(.*)\n([\s\S]*?)^```$/gm;

let workspace: Workspace;
let blocks: Block[];

beforeAll(async () => {
  workspace = await createWorkspace();
  const others = (await readdir(GUIDE)).filter((page) => page !== FIRST_PAGE).sort();
  blocks = (await Promise.all([FIRST_PAGE, ...others].map(blocksOf))).flat();
  for (const { info, text } of blocks) {
    const [, path] = info.split(' ');
    if (path === undefined || !path.startsWith('plugins/')) continue;
    await mkdir(dirname(join(workspace.root, path)), { recursive: true });
    await writeFile(join(workspace.root, path), text);
  }
});
afterAll(async () => {
  const engine = await connectEngine();
  for (const { tags } of await engine.listImages(`${LABELS.plugin}=receipt`))
    for (const tag of tags) await engine.removeImage(tag);
  await workspace[Symbol.asyncDispose]();
});

test('every command of the author guide does what the guide says', async () => {
  const commands = blocks.filter(({ info }) => info.startsWith('sh'));
  expect(commands.length).toBeGreaterThan(4);
  for (const block of commands) {
    const next = blocks[blocks.indexOf(block) + 1];
    const shown = next?.page === block.page ? next : undefined;
    for (const line of block.text.trim().split('\n')) {
      const { exitCode, stdout, stderr } = await runCli(argumentsOf(line), { cwd: workspace.root });
      expect(exitCode, `${line}\n${stderr}`).toBe(block.info.includes('exit=1') ? 1 : 0);
      if (shown?.info === '') expect(stdout.startsWith(shown.text), stdout).toBe(true);
      if (shown?.info === 'json')
        expect(JSON.parse(stdout).results.receipt.error).toMatchObject(JSON.parse(shown.text));
    }
  }
});

async function blocksOf(page: string): Promise<Block[]> {
  const text = await readFile(join(GUIDE, page), 'utf8');
  return [...text.matchAll(BLOCK)].map(([, info = '', text = '']) => ({ page, info, text }));
}

/** As a shell takes them apart, as far as the guide needs. */
function argumentsOf(line: string): string[] {
  const words = line.match(/'[^']*'|\S+/g) ?? [];
  expect(words.slice(0, 2)).toEqual(['npx', 'lurkbox']);
  return words.slice(2).map((word) => word.replace(/^'|'$/g, ''));
}
