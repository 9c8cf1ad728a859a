// node scripts/bundle-cli.ts
// The command line as a small entry and a chunk for each command, in dist/cli/: a command reads few files, and only what it needs.

import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { isBuiltin } from 'node:module';
import { dirname, join, relative } from 'node:path';
import { build, type Metafile, type Plugin } from 'esbuild';

const ROOT = join(import.meta.dirname, '..');

/** Packages that only some commands need, as they are: each is loaded by the first that asks for it. */
const OUTSIDE = ['chokidar', 'pino'];

/** What dockerode and its modem load for builds over gRPC, for SSH and for certificates that the environment names. Nothing here uses those. */
const UNUSED = /^(?:@grpc\/grpc-js|@grpc\/proto-loader|protobufjs|split-ca|ssh2)$/;

export interface BundleOptions {
  /** Where the chunks go. What they look for beside them is in the folder above, as in `dist/`. @default dist/cli */
  readonly folder?: string;
}

/** Answers what is in each chunk. */
export async function bundleCli({ folder = join(ROOT, 'dist/cli') }: BundleOptions = {}): Promise<Metafile> {
  rmSync(folder, { recursive: true, force: true });
  const { metafile } = await build({
    absWorkingDir: ROOT,
    entryPoints: ['src/cli/main.ts'],
    outdir: folder,
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
    plugins: [placesStay(), builtinsAreTaken(), unusedIsLeftOut()],
  });
  writeFileSync(join(folder, 'LICENSES.txt'), licensesOf(metafile));
  return metafile;
}

/** The program that checks values against schemas, as one file in the place of the one that only imports: each start of it is waited for. */
export async function bundleChecker(folder = join(ROOT, 'dist/schemas')): Promise<void> {
  const { metafile } = await build({
    absWorkingDir: ROOT,
    entryPoints: ['src/schemas/checker-program.ts'],
    outdir: folder,
    bundle: true,
    format: 'esm',
    platform: 'node',
    target: 'node24',
    legalComments: 'none',
    logLevel: 'warning',
    metafile: true,
    plugins: [builtinsAreTaken()],
  });
  writeFileSync(join(folder, 'LICENSES.txt'), licensesOf(metafile));
}

/** Files of `src/` that look for others beside them find those of `dist/`, wherever the bundle has put the code. */
function placesStay(): Plugin {
  return {
    name: 'places-stay',
    setup: ({ onLoad, onResolve }) => {
      // Loading a file of ours does nothing but define, so that one nobody uses anything of is left out.
      onResolve({ filter: /^\.{1,2}\/.*\.ts$/ }, ({ path, resolveDir }) => ({
        path: join(resolveDir, path),
        sideEffects: false,
      }));
      onLoad({ filter: /[/\\]src[/\\].*\.ts$/ }, ({ path }) => {
        const code = withBuiltinsTaken(withoutIndex(path, readFileSync(path, 'utf8')));
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
 * The same imports from the files that define what `src/index.ts` only passes on: through it, a command that needs one room would be
 * bundled with all.
 */
function withoutIndex(path: string, code: string): string {
  return code.replace(/^import \{([^}]*)\} from '\.\.\/index\.ts';$/gm, (_, names: string) =>
    namesIn(names)
      .map(({ name, as }) => {
        const { file, original } = EXPORTS.get(name) ?? unknownExport(path, name);
        return `import { ${original} as ${as} } from '../${file}';`;
      })
      .join(' '),
  );
}

const EXPORTS: ReadonlyMap<string, { readonly file: string; readonly original: string }> = new Map(
  [
    ...readFileSync(join(ROOT, 'src/index.ts'), 'utf8').matchAll(
      /^export \{([^}]*)\} from '\.\/([^']+)';$/gm,
    ),
  ].flatMap(([, names = '', file = '']) =>
    namesIn(names).map(({ name, as }) => [as, { file, original: name }] as const),
  ),
);

/** Without types, of which nothing is left. */
function namesIn(list: string): { name: string; as: string }[] {
  const words = list.split(',').map((word) => word.trim());
  return words.flatMap((word) => {
    const [, name, as] = /^(?!type )(\w+)(?: as (\w+))?$/.exec(word) ?? [];
    return name === undefined ? [] : [{ name, as: as ?? name }];
  });
}

function unknownExport(path: string, name: string): never {
  throw new Error(`${path} imports \`${name}\`, which src/index.ts does not export.`);
}

/**
 * Modules of Node are taken as they are, and of each what is used. An `import` would read each of their exports, and some of those load
 * what nobody uses: that of `node:http` a whole HTTP client.
 */
function withBuiltinsTaken(code: string): string {
  return code.replace(
    /^import (?!type )(?:\{([^}]*)\}|(?:\* as )?(\w+)) from '(node:[^']+)';$/gm,
    (_, names: string | undefined, whole: string, path: string) => {
      const taken = `/* @__PURE__ */ process.getBuiltinModule('${path}')`;
      if (names === undefined) return `const ${whole} = ${taken};`;
      return namesIn(names)
        .map(({ name, as }) => `const ${as} = /* @__PURE__ */ Reflect.get(${taken}, '${name}');`)
        .join(' ');
    },
  );
}

/** The same for packages, which name them without `node:` too. */
function builtinsAreTaken(): Plugin {
  return {
    name: 'builtins-are-taken',
    setup: ({ onResolve, onLoad }) => {
      onResolve({ filter: /^[\w:/]+$/ }, ({ path }) =>
        isBuiltin(path)
          ? { path: path.replace(/^(?:node:)?/, 'node:'), namespace: 'builtin', sideEffects: false }
          : undefined,
      );
      onLoad({ filter: /.*/, namespace: 'builtin' }, ({ path }) => ({
        contents: `module.exports = process.getBuiltinModule(${JSON.stringify(path)});`,
      }));
    },
  };
}

function unusedIsLeftOut(): Plugin {
  return {
    name: 'unused-is-left-out',
    setup: ({ onResolve, onLoad }) => {
      onResolve({ filter: UNUSED }, ({ path }) => ({ path, namespace: 'unused' }));
      onLoad({ filter: /.*/, namespace: 'unused' }, () => ({ contents: 'module.exports = {};' }));
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

if (import.meta.main) await Promise.all([bundleCli(), bundleChecker()]);
