// node scripts/bundle-cli.ts
// The command line as a small entry and a chunk for each command, in dist/cli/: a command reads few files, and only what it needs.

import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { build, type Metafile, type Plugin } from 'esbuild';

const ROOT = join(import.meta.dirname, '..');
const FOLDER = 'dist/cli';

/** Packages that only some commands need, as they are: each is loaded by the first that asks for it. */
const OUTSIDE = ['chokidar', 'docker-modem', 'dockerode', 'pino', 'tar-stream'];

rmSync(join(ROOT, FOLDER), { recursive: true, force: true });
const { metafile } = await build({
  absWorkingDir: ROOT,
  entryPoints: ['src/cli/main.ts'],
  outdir: FOLDER,
  chunkNames: '[name]-[hash]',
  bundle: true,
  splitting: true,
  format: 'esm',
  // Not minified: names stay as they are written, for who reads a stack trace.
  minify: false,
  platform: 'node',
  target: 'node24',
  external: OUTSIDE,
  legalComments: 'none',
  logLevel: 'warning',
  metafile: true,
  plugins: [placesStay(), builtinsAreTaken()],
});
writeFileSync(join(ROOT, FOLDER, 'LICENSES.txt'), licensesOf(metafile));

/** Files of `src/` that look for others beside them find those of `dist/`, wherever the bundle has put the code. */
function placesStay(): Plugin {
  return {
    name: 'places-stay',
    setup: ({ onLoad }) => {
      onLoad({ filter: /[/\\]src[/\\].*\.ts$/ }, ({ path }) => {
        const code = readFileSync(path, 'utf8');
        if (!code.includes('import.meta.')) return null;
        const file = relative(join(ROOT, 'src'), path).replaceAll('\\', '/').replace(/\.ts$/, '.js');
        const folder = JSON.stringify(`/../${dirname(file)}`);
        const contents = code.replace(/import\.meta\.(url|dirname|filename)\b/g, (_, what) => {
          if (what === 'url') return `new URL(${JSON.stringify(`../${file}`)}, import.meta.url).href`;
          return what === 'dirname' ? `(import.meta.dirname + ${folder})` : JSON.stringify(file);
        });
        return { contents, loader: 'ts' };
      });
    },
  };
}

/**
 * Modules of Node are taken as they are. An `import` would read each of their exports, and some of those load what nobody uses:
 * that of `node:http` a whole HTTP client.
 */
function builtinsAreTaken(): Plugin {
  return {
    name: 'builtins-are-taken',
    setup: ({ onResolve, onLoad }) => {
      onResolve({ filter: /^node:/ }, ({ path }) => ({ path, namespace: 'builtin', sideEffects: false }));
      onLoad({ filter: /.*/, namespace: 'builtin' }, ({ path }) => ({
        contents: `module.exports = process.getBuiltinModule(${JSON.stringify(path)});`,
      }));
    },
  };
}

/** The words under which the packages that are in the bundle may be passed on. */
function licensesOf({ inputs }: Metafile): string {
  const packages = new Set(
    Object.keys(inputs).flatMap((path) => /^.*node_modules\/(?:@[^/]+\/)?[^/]+/.exec(path)?.[0] ?? []),
  );
  return [...packages].sort().map(licenseOf).join('\n');
}

function licenseOf(folder: string): string {
  const at = join(ROOT, folder);
  const { name, version } = JSON.parse(readFileSync(join(at, 'package.json'), 'utf8'));
  const file = readdirSync(at).find((entry) => /^licen[cs]e/i.test(entry));
  if (file === undefined || !existsSync(join(at, file))) throw new Error(`${name} has no license file.`);
  return `${name} ${version}\n\n${readFileSync(join(at, file), 'utf8').trim()}\n`;
}
