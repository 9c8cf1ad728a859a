import { execFile } from 'node:child_process';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';

const ROOT = join(import.meta.dirname, '../..');
const run = promisify(execFile);

test('the published package has every chunk of the command line, the runner, the attacks and the licenses', async () => {
  const { stdout } = await run('npm', ['pack', '--dry-run', '--json', '--ignore-scripts'], {
    cwd: ROOT,
    maxBuffer: 64 * 1024 * 1024,
  });
  const [{ files }] = JSON.parse(stdout) as [{ files: { path: string }[] }];
  const paths = files.map(({ path }) => path);
  expect(paths).toEqual(
    expect.arrayContaining([
      'bin/lurkbox.js',
      'dist/attack/index.js',
      'dist/attack/index.d.ts',
      'dist/index.js',
      'dist/runner.cjs',
      'dist/sandboxes/cleanup/guard-program.js',
      'dist/schemas/LICENSES.txt',
      'dist/schemas/checker-program.js',
      'images/Dockerfile',
    ]),
  );
  const chunks = await readdir(join(ROOT, 'dist/cli'));
  expect(chunks).toEqual(expect.arrayContaining(['main.js', 'LICENSES.txt']));
  expect(paths).toEqual(expect.arrayContaining(chunks.map((chunk) => `dist/cli/${chunk}`)));
});

/** Names of the packages, and of the rooms in dist/, that an import of an entry point loads. */
async function loadedBy(entry: string): Promise<{ exported: string[]; parts: Set<string> }> {
  const program = `
    import { registerHooks } from 'node:module';
    const urls = [];
    registerHooks({ load: (url, context, next) => (urls.push(url), next(url, context)) });
    const exported = Object.keys(await import(${JSON.stringify(entry)}));
    console.log(JSON.stringify({ exported, urls }));`;
  const { stdout } = await run(process.execPath, ['--input-type=module', '-e', program], {
    cwd: ROOT,
    maxBuffer: 64 * 1024 * 1024,
  });
  const { exported, urls } = JSON.parse(stdout) as { exported: string[]; urls: string[] };
  const parts = urls.flatMap(
    (url) => /node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(url)?.[1] ?? /\/(dist\/[^/]+)\//.exec(url)?.[1] ?? [],
  );
  return { exported, parts: new Set(parts) };
}

test('`lurkbox` loads the engine client, schema checker, logger and watcher only when needed', async () => {
  const { exported, parts } = await loadedBy('lurkbox');
  expect(exported).toContain('createLurkbox');
  for (const part of ['ajv', 'chokidar', 'commander', 'dockerode', 'docker-modem', 'pino', 'dist/cli'])
    expect(parts).not.toContain(part);
});

test('`lurkbox/attack` is a separate entry point', async () => {
  expect(await loadedBy('lurkbox/attack')).toMatchObject({ exported: ['attackEngine'] });
});
