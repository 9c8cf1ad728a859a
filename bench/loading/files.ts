import { execFile } from 'node:child_process';
import { glob, readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { build } from 'esbuild';
import { pluginCode } from '../plugin.ts';

/** Where the files of this cell are in its image. */
export const ROOT = '/bench';
/** Where the container that fills the compile cache can write. */
export const CACHE_MADE_IN = '/tmp/cache';

export type Files = Readonly<Record<string, string | Buffer>>;

const REPOSITORY = join(import.meta.dirname, '../..');

/** The benchmarked plugin with a type in it. */
export const TYPESCRIPT_CODE = pluginCode().replace('({ inputData })', '({ inputData }: { inputData: any })');

/** The benchmarked plugin with a dependency of seventy files, which it uses. */
const ZOD_CODE = `import { z } from 'zod';
const Input = z.object({ payload: z.string(), sleepMs: z.number() });
${pluginCode().replace('= inputData', '= Input.parse(inputData)')}`;

/** Paths below `ROOT`. */
export async function createFiles(): Promise<Files> {
  return {
    'empty.cjs': '',
    'echo.mjs': pluginCode(),
    'echo.ts': TYPESCRIPT_CODE,
    'zod.mjs': ZOD_CODE,
    'fill-cache.cjs': FILL_CACHE,
    'echo-bundle.cjs': await bundle(pluginCode()),
    'zod-bundle.cjs': await bundle(ZOD_CODE),
    ...(await readPackage('zod')),
  };
}

/** Loads what it is told, executes the last of it, and tells on stderr what its compile cache holds then. */
const FILL_CACHE = `
const [cache, entryPoint, ...programs] = process.argv.slice(2);
const fs = require('node:fs'), path = require('node:path'), module_ = require('node:module');
module_.enableCompileCache(cache);
for (const program of programs) require(program);
import(entryPoint).then(async ({ execute }) => {
  await execute?.({ inputData: { payload: '', sleepMs: 0 } });
  module_.flushCompileCache();
  const files = fs.readdirSync(cache, { recursive: true }).filter((name) => fs.statSync(path.join(cache, name)).isFile());
  const contents = files.map((name) => [name, fs.readFileSync(path.join(cache, name), 'base64')]);
  fs.writeFileSync('/dev/stderr', JSON.stringify(Object.fromEntries(contents)));
  process.exit();
});
`;

/** The runner with one plugin in the place of whichever it is told to load. */
async function bundle(code: string): Promise<string> {
  const result = await build({
    entryPoints: [join(REPOSITORY, 'src/runner/main.ts')],
    bundle: true,
    platform: 'node',
    target: 'node24',
    format: 'cjs',
    minifyWhitespace: true,
    minifySyntax: true,
    legalComments: 'none',
    write: false,
    plugins: [
      {
        name: 'with-plugin',
        setup: ({ onResolve, onLoad }) => {
          onResolve({ filter: /^the-plugin$/ }, () => ({ path: 'the-plugin', namespace: 'bench' }));
          onLoad({ filter: /.*/, namespace: 'bench' }, () => ({ contents: code, resolveDir: REPOSITORY }));
          onLoad({ filter: /runner\/plugin\.ts$/ }, () => ({
            contents: `export const loadExecute = async () => (await import('the-plugin')).execute;`,
          }));
        },
      },
    ],
  });
  return result.outputFiles[0]?.text ?? '';
}

/** The code of an installed package, without its types and sources. */
async function readPackage(name: string): Promise<Files> {
  const folder = dirname(fileURLToPath(import.meta.resolve(`${name}/package.json`)));
  const files: Record<string, Buffer> = {};
  for await (const path of glob('**/*.{js,cjs,json}', { cwd: folder, exclude: ['src/**'] }))
    files[`node_modules/${name}/${path}`] = await readFile(join(folder, path));
  return files;
}

/** A start-up snapshot of a program that does nothing, made by the Node of this process, which images have too. */
export async function createSnapshot(folder: string, flags: readonly string[]): Promise<Buffer> {
  const blob = join(folder, 'empty.blob');
  const program = join(import.meta.dirname, 'empty-snapshot.cjs');
  await promisify(execFile)(process.execPath, [
    ...flags,
    '--snapshot-blob',
    blob,
    '--build-snapshot',
    program,
  ]);
  return readFile(blob);
}
