import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { connectEngine } from '../../src/engine/docker/connect.ts';
import { LABELS } from '../../src/labels.ts';
import { runCli, startCli } from '../cli/run-cli.ts';

/** Two plugins of this checkout, under names of their own: other tests execute them at the same time. */
const PLUGINS = { 'life-stats': 'text-stats', 'life-sums': 'calculator' } as const;
type Name = keyof typeof PLUGINS;

let root: string;

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'lurkbox-life-'));
  for (const name of Object.keys(PLUGINS) as Name[]) await writeVersion(name, '1.0.0');
});

afterAll(async () => {
  const engine = await connectEngine();
  for (const { tags, labels } of await engine.listImages(`${LABELS.kind}=image`)) {
    if ((labels[LABELS.plugin] ?? '') in PLUGINS) for (const tag of tags) await engine.removeImage(tag);
  }
  await rm(root, { recursive: true });
});

async function writeVersion(name: Name, version: string, changes: object = {}): Promise<string> {
  const folder = join(root, `${name}-${version}`);
  await cp(join(import.meta.dirname, '../../plugins', PLUGINS[name]), folder, { recursive: true });
  const manifest = JSON.parse(await readFile(join(folder, 'plugin.json'), 'utf8'));
  await writeFile(join(folder, 'plugin.json'), JSON.stringify({ ...manifest, name, version, ...changes }));
  return folder;
}

async function lurkbox(...args: string[]): Promise<string> {
  const { exitCode, stdout, stderr } = await runCli([...args, '--workspace', root]);
  if (exitCode !== 0) throw new Error(`lurkbox ${args.join(' ')} ended with ${exitCode}: ${stderr}${stdout}`);
  return stdout;
}

async function fails(exitCode: number, ...args: string[]): Promise<string> {
  const end = await runCli([...args, '--workspace', root]);
  expect(end).toMatchObject({ exitCode });
  return end.stderr + end.stdout;
}

const INPUT = ['--input', JSON.stringify({ user_message: 'What is 2 + 3 * 4?' })];

async function versionThatRuns(reference: string): Promise<string> {
  const { results } = JSON.parse(await lurkbox('run', reference, '--json', ...INPUT));
  expect(results[reference]).toMatchObject({ outcome: 'OK' });
  return results[reference].version;
}

test('the command line takes two plugins from installation to removal', async () => {
  // Installed, and executed.
  for (const name of Object.keys(PLUGINS) as Name[])
    expect(await lurkbox('load', join(root, `${name}-1.0.0`))).toContain(
      `✔ ${name} 1.0.0 is installed and active`,
    );
  expect(await versionThatRuns('life-stats')).toBe('1.0.0');
  expect(await versionThatRuns('life-sums')).toBe('1.0.0');

  // A second version beside the first, tried by its name, then used, and taken back.
  const second = await writeVersion('life-stats', '1.1.0');
  expect(await lurkbox('load', second)).toContain('1.0.0 stays active');
  expect(await versionThatRuns('life-stats')).toBe('1.0.0');
  expect(await versionThatRuns('life-stats@^1.1')).toBe('1.1.0');
  await lurkbox('use', 'life-stats@1.1.0', '--canary', '99', '--canary-calls', '1');
  expect(await lurkbox('list')).toMatch(/^life-stats +1\.0\.0 .*1\.1\.0 \(canary\)$/m);
  for (let calls = 0; calls < 20; calls++) {
    await lurkbox('run', 'life-stats', ...INPUT);
    if (/^life-stats +1\.1\.0/m.test(await lurkbox('list'))) break;
  }
  expect(await versionThatRuns('life-stats')).toBe('1.1.0');
  expect(await lurkbox('rollback', 'life-stats')).toContain('1.0.0 is active again, instead of 1.1.0');
  expect(await versionThatRuns('life-stats')).toBe('1.0.0');

  // One that asks for more waits for somebody to agree.
  const third = await writeVersion('life-stats', '1.2.0', { permissions: { filesystem: true } });
  expect(await fails(2, 'load', third, '--use')).toContain('agreed to: no; asks for: yes');
  expect(await fails(1, 'consent', 'life-stats')).toContain('permissions.filesystem.scratch');
  expect(await versionThatRuns('life-stats')).toBe('1.0.0');
  const { digest } = JSON.parse(
    (await runCli(['consent', 'life-stats', '--json', '--workspace', root])).stdout,
  );
  expect(await fails(2, 'consent', 'life-stats', '--yes', '00000000')).toContain(
    'look at what it asks for again',
  );
  await lurkbox('consent', 'life-stats', '--yes', digest);
  expect(await versionThatRuns('life-stats')).toBe('1.2.0');

  // Switched off and on, and looked at.
  await lurkbox('disable', 'life-sums');
  expect(await fails(1, 'run', 'life-sums', ...INPUT)).toContain('PLUGIN_DISABLED');
  await lurkbox('enable', 'life-sums');
  expect(await versionThatRuns('life-sums')).toBe('1.0.0');
  expect(await lurkbox('info', 'life-stats')).toMatch(/^1\.2\.0 +active +ENABLED/m);
  const types = (await lurkbox('events', '--plugin', 'life-stats', '--json'))
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line).eventType);
  for (const type of ['INSTALL', 'LOAD', 'ENABLE', 'EXECUTE', 'ACTIVATE', 'ROLLBACK', 'CONSENT'])
    expect(types).toContain(type);

  // Removed, one version and then all; the record of it all holds.
  expect(await fails(2, 'unload', 'life-stats@1.2.0')).toContain('is active');
  expect(await lurkbox('unload', 'life-stats@1.0.0')).toContain('left: 1.2.0, 1.1.0');
  await lurkbox('unload', 'life-stats');
  await lurkbox('unload', 'life-sums');
  expect(JSON.parse(await lurkbox('list', '--json'))).toEqual({ plugins: [], broken: [] });
  expect(JSON.parse(await lurkbox('image', 'list', '--json')).images).not.toContainEqual(
    expect.objectContaining({ plugin: expect.stringMatching(/^life-/) }),
  );
  expect(await lurkbox('audit', 'verify')).toContain('nothing was changed');
}, 180_000);

test('a version that is saved while `dev` watches serves the next call', async () => {
  const folder = join(root, 'plugins', 'life-sums');
  await cp(join(root, 'life-sums-1.0.0'), folder, { recursive: true });
  const dev = startCli(['dev', '--json', '--workspace', root]);
  const told = documentsOf(dev.process.stdout);
  expect(await told.next()).toMatchObject({ event: 'reloaded', name: 'life-sums', version: '1.0.0' });
  const manifest = JSON.parse(await readFile(join(folder, 'plugin.json'), 'utf8'));
  await writeFile(join(folder, 'plugin.json'), JSON.stringify({ ...manifest, version: '1.0.1' }));
  expect(await told.next()).toMatchObject({ event: 'reloaded', version: '1.0.1' });
  expect(await versionThatRuns('life-sums')).toBe('1.0.1');
  await writeFile(join(folder, manifest.entry_point), 'export const execute = (');
  expect(await told.next()).toMatchObject({ event: 'failed', code: 'PLUGIN_BROKEN' });
  dev.process.kill('SIGINT');
  expect(await dev.end).toMatchObject({ exitCode: 0 });
}, 90_000);

/** The JSON documents of a stream, one a line. */
function documentsOf(stream: NodeJS.ReadableStream | null): { next(): Promise<unknown> } {
  if (stream === null) throw new Error('stdout is not piped');
  const lines = createInterface({ input: stream })[Symbol.asyncIterator]();
  return { next: async () => JSON.parse((await lines.next()).value ?? 'null') };
}
