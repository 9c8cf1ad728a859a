/**
 * `node race-child.ts <source>`: for each line on stdin, `{ operation, workspace }`, does that once and writes a line of JSON with
 * what came of it. Everything is loaded before the first, so that its system calls are those of the operation.
 */
import { join } from 'node:path';
import { createInterface } from 'node:readline';

const [, , source = ''] = process.argv;
const { discoverPlugins } = await import(join(source, 'manifest/discover.ts'));
const { loadPlugin } = await import(join(source, 'manifest/load.ts'));
const { readPluginFiles } = await import(join(source, 'manifest/read-files.ts'));
const { CopiedFiles } = await import(join(source, 'versions/install/plugin-files.ts'));
const { loadPolicy } = await import(join(source, 'policy/load.ts'));

const OPERATIONS: Readonly<Record<string, (workspace: string) => Promise<string>>> = {
  read: async (workspace) => contentsOf(await loadPlugin(join(workspace, 'plugins/reader'))),
  discover: async (workspace) => {
    const contents: string[] = [];
    for (const folder of await discoverPlugins(workspace))
      contents.push(await contentsOf(await loadPlugin(folder, { path: 'resolved' })));
    return contents.join('\n');
  },
  policy: async (workspace) =>
    JSON.stringify(await loadPolicy(join(workspace, 'lurkbox.policy.json'), { path: 'resolved' })),
  install: async (workspace) => {
    const files = new CopiedFiles(join(workspace, '.lurkbox'));
    await using staged = await files.stage(await loadPlugin(join(workspace, 'plugins/reader')));
    staged.place();
    return '';
  },
  unload: async (workspace) => {
    new CopiedFiles(join(workspace, '.lurkbox')).remove({ folder: 'plugins/reader/1.0.0/content' });
    return '';
  },
  sweep: async (workspace) => {
    new CopiedFiles(join(workspace, '.lurkbox')).sweep(new Set(), { keep: false });
    return '';
  },
  putAside: async (workspace) => {
    new CopiedFiles(join(workspace, '.lurkbox')).sweep(new Set(), { keep: true });
    return '';
  },
};

async function contentsOf(plugin: unknown): Promise<string> {
  const contents: string[] = [];
  for await (const { path, content } of readPluginFiles(plugin)) contents.push(`${path}: ${content}`);
  return contents.join('\n');
}

console.log('loaded');
for await (const line of createInterface({ input: process.stdin })) {
  const { operation, workspace } = JSON.parse(line) as { operation: string; workspace: string };
  const outcome = await (OPERATIONS[operation] as (workspace: string) => Promise<string>)(workspace).then(
    (text) => ({ ok: true, text }),
    (error: { code?: string; message: string; problems?: unknown }) => ({
      ok: false,
      text: JSON.stringify([error.code, error.message, error.problems]),
    }),
  );
  console.log(JSON.stringify(outcome));
}
