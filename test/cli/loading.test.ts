import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';
import packageJson from '../../package.json' with { type: 'json' };
import { bundleChecker, bundleCli } from '../../scripts/bundle-cli.ts';
import { createWorkspace, type Workspace } from '../helpers/workspace.ts';
import { NO_ENGINE, runCli } from './run-cli.ts';

const ROOT = join(import.meta.dirname, '../..');
/** Inside of the checkout, where packages that are not in the bundle are found. */
const CACHE = join(ROOT, 'node_modules/.cache');

let folder: string;
let main: string;
/** Chunk → the packages and rooms that it is made of. */
let contents: ReadonlyMap<string, ReadonlySet<string>>;
let workspace: Workspace;

beforeAll(async () => {
  await mkdir(CACHE, { recursive: true });
  folder = await mkdtemp(join(CACHE, 'bundle-'));
  await writeFile(join(folder, 'package.json'), JSON.stringify({ type: 'module', version: '1.2.3' }));
  // Whatever is loaded is written down, one URL a line.
  await writeFile(
    join(folder, 'record.mjs'),
    `import { appendFileSync } from 'node:fs';
    import { registerHooks } from 'node:module';
    registerHooks({ load: (url, context, next) => {
      appendFileSync(process.env.LOADED, url + '\\n');
      return next(url, context);
    } });`,
  );
  const { outputs } = await bundleCli({ folder: join(folder, 'dist/cli') });
  main = join(folder, 'dist/cli/main.js');
  contents = new Map(
    Object.entries(outputs).map(([path, { inputs }]) => [
      basename(path),
      new Set(Object.keys(inputs).flatMap((input) => partOf(input) ?? [])),
    ]),
  );
  workspace = await createWorkspace();
  await workspace.addPlugin('load-test');
});

afterAll(async () => {
  await rm(folder, { recursive: true, force: true });
  await workspace[Symbol.asyncDispose]();
});

/** `zod` of a package, `src/attack` of a room. */
function partOf(path: string): string | undefined {
  return /node_modules[/\\]((?:@[^/\\]+[/\\])?[^/\\]+)/.exec(path)?.[1] ?? /^src[/\\][^/\\]+/.exec(path)?.[0];
}

async function loadedBy(args: readonly string[]) {
  const record = join(folder, 'loaded');
  await writeFile(record, '');
  const end = await runCli([main, ...args], {
    program: `--import=${pathToFileURL(join(folder, 'record.mjs')).href}`,
    cwd: workspace.root,
    env: { ...NO_ENGINE, LOADED: record, NODE_COMPILE_CACHE: join(folder, 'compiled') },
  });
  const urls = (await readFile(record, 'utf8')).split('\n').filter((url) => url.startsWith('file:'));
  const parts = new Set(
    urls.flatMap((url) => {
      const chunk = contents.get(basename(url));
      return chunk !== undefined && url.includes('/dist/cli/') ? [...chunk] : (partOf(url) ?? []);
    }),
  );
  return { ...end, parts: [...parts].filter((part) => !part.startsWith('bundle-')).sort() };
}

const HEAVY = [
  'ajv',
  'chokidar',
  'dockerode',
  'docker-modem',
  'pino',
  'tar-stream',
  'src/attack',
  'src/workflow',
];

test('--version loads no package, and of the source only what it prints', async () => {
  const { stdout, parts } = await loadedBy(['--version']);
  expect({ stdout, parts }).toEqual({ stdout: '1.2.3\n', parts: ['src/cli', 'src/version.ts'] });
});

test('completion reads no plugins, schemas or engine', async () => {
  const { stdout, parts } = await loadedBy(['__complete', 'li']);
  expect(stdout).toBe('list\tlist the plugins of the workspace\n');
  expect(parts).not.toContain('commander');
  for (const part of [...HEAVY, 'src/versions', 'src/sandboxes', 'src/image'])
    expect(parts).not.toContain(part);
});

test('the help of a command loads only the definitions of commands', async () => {
  const { exitCode, parts } = await loadedBy(['run', '--help']);
  expect(exitCode).toBe(0);
  for (const part of [...HEAVY, 'src/versions', 'src/sandboxes', 'src/image'])
    expect(parts).not.toContain(part);
});

test('list loads no engine, schema checker, log or attack', async () => {
  const { exitCode, stdout, stderr, parts } = await loadedBy(['list']);
  expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: '' });
  expect(stdout).toContain('load-test');
  for (const part of HEAVY) expect(parts).not.toContain(part);
});

test('run loads the engine, and neither the attacks nor what watches folders, nor what dockerode never needs here', async () => {
  const { exitCode, stderr, parts } = await loadedBy(['run', 'load-test']);
  expect({ exitCode, stderr }).toMatchObject({
    exitCode: 3,
    stderr: expect.stringContaining('No container engine'),
  });
  for (const part of ['ajv', 'chokidar', 'pino', 'src/attack', '@grpc/grpc-js', 'protobufjs', 'ssh2'])
    expect(parts).not.toContain(part);
});

test('the program that checks values is one file, which starts where there is no package', async () => {
  await using place = await createWorkspace();
  await writeFile(join(place.root, 'package.json'), JSON.stringify({ type: 'module' }));
  await bundleChecker(place.root);
  const { exitCode, stdout, stderr } = await runCli([join(place.root, 'checker-program.js')], {
    program: '--no-warnings',
    cwd: place.root,
  });
  expect({ exitCode, stdout, stderr }).toEqual({
    exitCode: 0,
    stdout: expect.stringContaining('ready'),
    stderr: '',
  });
  expect(await readFile(join(place.root, 'LICENSES.txt'), 'utf8')).toMatch(/^ajv [0-9]/m);
});

test('the packages of the bundle are published with their licenses', async () => {
  const licenses = await readFile(join(folder, 'dist/cli/LICENSES.txt'), 'utf8');
  const bundled = new Set(
    [...contents.values()].flatMap((parts) => [...parts].filter((part) => !part.startsWith('src/'))),
  );
  expect(bundled.size).toBeGreaterThan(2);
  for (const name of bundled) expect(licenses).toMatch(new RegExp(`^${name} [0-9]`, 'm'));
});

test('every entry point of the package is published', () => {
  const targets = [
    packageJson.bin.lurkbox,
    ...Object.values(packageJson.exports).flatMap((target) =>
      typeof target === 'string' ? [target] : Object.values(target),
    ),
  ].map((target) => target.replace('./', ''));
  const published = ['package.json', ...packageJson.files];
  for (const target of targets)
    expect(published.some((path) => target === path || target.startsWith(`${path}/`))).toBe(true);
});
