// node scripts/check-imports.ts
// Data flows one way, so imports do too. Says for every import of src/ whether it may be there, and finds cycles.

import { globSync, readFileSync } from 'node:fs';
import { builtinModules } from 'node:module';
import { dirname, join, normalize } from 'node:path';
import { orderOf } from '../src/workflow/order.ts';

/** What everyone may import: small, and without an import to the right of them. */
export const LEAVES: readonly string[] = [
  'closest.ts',
  'deep-freeze.ts',
  'errors.ts',
  'former-names.ts',
  'labels.ts',
  'logger.ts',
  'printable.ts',
  'process.ts',
  'promises.ts',
  'version.ts',
  // Reads and bounds JSON values; knows no document.
  'json',
  // Reads what people write.
  'documents',
  // Opens files, folders and databases, and knows nothing of what is in them.
  'storage',
  'events',
  'audit',
];

/**
 * Who may import what, besides leaves and its own folder. A name is a folder of `src/`, or one file of it.
 * In the order of the flow; a folder that is not here is an error, so that adding one is a decision.
 */
export const MAY_IMPORT: Readonly<Record<string, readonly string[]>> = {
  ...Object.fromEntries(LEAVES.map((leaf) => [leaf, []])),
  manifest: [],
  policy: ['manifest'],
  spec: ['policy'],
  engine: ['spec'],
  // An image is for an engine, whichever: it knows the interface and not Docker. It is made for the user and the
  // paths that a container is started with, but knows nothing of grants.
  image: ['manifest', 'policy/baseline.ts', 'spec/build.ts', 'engine/engine.ts', 'protocol/messages.ts'],
  // Both ends speak it, so it may hold nothing that only one of them has.
  protocol: [],
  runner: ['protocol'],
  // What plugins may ask of the host, by the protocol.
  host: ['protocol'],
  // Checks values against JSON Schemas, in processes of its own; knows neither plugins nor calls.
  schemas: [],
  // One call, whatever runs it.
  calls: ['manifest', 'policy', 'engine/engine.ts', 'protocol', 'schemas'],
  // What runs calls: containers, those that wait for calls, and what removes them.
  sandboxes: ['manifest', 'policy', 'spec', 'engine', 'protocol', 'host', 'schemas', 'calls'],
  // Which plugins there are, and which version serves a call.
  versions: ['manifest', 'policy', 'image', 'schemas', 'calls', 'sandboxes'],
  // Executes plugins in an order, through whatever executes one.
  workflow: ['manifest', 'calls'],
  agent: ['calls'],
  // Executes a plugin of its own in the way of any other, and then asks everybody whether it held.
  attack: ['lurkbox.ts', 'options.ts', 'policy', 'spec', 'engine', 'calls', 'versions'],
  // A surface: it calls the public API and holds no logic.
  cli: ['index.ts'],
};

/** Who may load any room when it is needed, by `import()`: a command that needs little of one does not wait for all. */
const MAY_LOAD = ['cli'];

/** These wire the stages together and may look both ways. */
export const COMPOSITION: readonly string[] = [
  'lurkbox.ts',
  'workspace.ts',
  'workspace-policy.ts',
  'runtime.ts',
  'plugins.ts',
  'index.ts',
  'options.ts',
  'process-wide.ts',
];

/** Folders behind a door: who may know what is in them, beside the composition root. */
const PRIVATE: Readonly<Record<string, string>> = {
  // Everybody else knows the interface, which something that is no Docker can serve.
  'engine/docker': 'engine',
};

/** Packages that few folders know, so that they can be replaced. */
const PACKAGE_OWNERS: Readonly<Record<string, readonly string[]>> = {
  ajv: ['schemas'],
  'ajv-draft-04': ['schemas'],
  'ajv-formats': ['schemas'],
  dockerode: ['engine/docker'],
  'docker-modem': ['engine/docker'],
  'node:sqlite': ['storage'],
};

/** The container holds nothing but Node: whatever the runner loads may import no package. */
const WITHOUT_PACKAGES = 'runner';

/** Who may read the environment: one file, and the programs of the attacks, which do so inside of a container. */
const ENVIRONMENT_READERS = ['options.ts', 'attack/cases/survey.ts', 'attack/cases/isolation.ts'];
/** Who may take it as a parameter that defaults to it, and only so. */
const ENVIRONMENT_TAKERS = ['cli/compile-cache.ts', 'engine/docker/find.ts', 'engine/docker/connect.ts'];

interface Import {
  /** As written: `../errors.ts`, `node:fs`, `dockerode`. */
  readonly specifier: string;
  /** The file it names, relative to `src/`; `null` for a package. */
  readonly target: string | null;
  readonly typeOnly: boolean;
  /** By `import()`, when it is needed. */
  readonly isLoaded: boolean;
}

interface SourceFile {
  /** Relative to `src/`. */
  readonly path: string;
  readonly code: string;
  readonly imports: readonly Import[];
}

type Sources = ReadonlyMap<string, SourceFile>;
type Check = (file: SourceFile, sources: Sources) => string[];

const CHECKS: readonly Check[] = [
  folderIsKnown,
  importsPointLeft,
  doorsStayShut,
  packagesStayHome,
  environmentStaysOut,
];

/** Every import of the tree under `src` that goes the wrong way, one sentence each. */
export function checkImports(src: string): string[] {
  const sources = readSources(src);
  return [
    ...[...sources.values()].flatMap((file) => CHECKS.flatMap((check) => check(file, sources))),
    ...packagesInContainer(sources),
    ...findCycle(sources),
  ];
}

function readSources(src: string): Sources {
  const paths = globSync('**/*.ts', { cwd: src }).sort();
  return new Map(paths.map((path) => [path, parseSource(path, readFileSync(join(src, path), 'utf8'))]));
}

const IMPORTS =
  /^\s*(?:import|export)\s+(type\s)?[^'"`;]*?\bfrom\s*['"]([^'"]+)['"]|^\s*import\s*['"]([^'"]+)['"]|\bimport\(\s*['"]([^'"]+)['"]/gm;

function parseSource(path: string, text: string): SourceFile {
  const code = text.replace(/^\s*(?:\/\/|\/\*|\*).*$/gm, ''); // Without comments that stand on their own lines.
  const imports = [...code.matchAll(IMPORTS)].map(([, type, from, bare, dynamic]) => {
    const specifier = from ?? bare ?? dynamic ?? '';
    const target = specifier.startsWith('.') ? normalize(join(dirname(path), specifier)) : null;
    return { specifier, target, typeOnly: type !== undefined, isLoaded: dynamic !== undefined };
  });
  return { path, code, imports };
}

function folderIsKnown({ path }: SourceFile): string[] {
  const place = placeOf(path);
  if (place in MAY_IMPORT || COMPOSITION.includes(place)) return [];
  return [
    `src/${path}: \`${place}\` has no line in the table of scripts/check-imports.ts; add what it may import.`,
  ];
}

function importsPointLeft({ path, imports }: SourceFile): string[] {
  const place = placeOf(path);
  const allowed = MAY_IMPORT[place];
  if (allowed === undefined) return [];
  const fits = (target: string) =>
    [place, ...LEAVES, ...allowed].some((name) => target === name || target.startsWith(`${name}/`));
  const mayLoad = (target: string) => MAY_LOAD.includes(place) && !target.startsWith('..');
  return imports
    .filter(({ target, isLoaded }) => target !== null && !fits(target) && !(isLoaded && mayLoad(target)))
    .map(
      ({ specifier }) =>
        `src/${path} imports \`${specifier}\`: \`${place}\` may import ${list(allowed)}its own files and leaves.`,
    );
}

function doorsStayShut({ path, imports }: SourceFile): string[] {
  if (COMPOSITION.includes(path)) return [];
  return Object.entries(PRIVATE).flatMap(([folder, owner]) =>
    imports
      .filter(({ target }) => target?.startsWith(`${folder}/`) && placeOf(path) !== owner)
      .map(
        ({ specifier }) =>
          `src/${path} imports \`${specifier}\`: only \`${owner}\` and the composition root may know \`${folder}\`.`,
      ),
  );
}

function packagesStayHome({ path, imports }: SourceFile): string[] {
  return imports
    .filter(
      ({ specifier }) =>
        PACKAGE_OWNERS[packageOf(specifier)]?.some((owner) => path.startsWith(`${owner}/`)) === false,
    )
    .map(
      ({ specifier }) =>
        `src/${path} imports \`${specifier}\`: only ${PACKAGE_OWNERS[packageOf(specifier)]?.map((owner) => `\`${owner}\``).join(' and ')} may know that package.`,
    );
}

function environmentStaysOut({ path, code }: SourceFile): string[] {
  if (ENVIRONMENT_READERS.includes(path)) return [];
  const rest = ENVIRONMENT_TAKERS.includes(path) ? code.replace(/\benv = process\.env\b/g, '') : code;
  if (!/\bprocess\s*(?:\.|\?\.|\[['"])\s*env\b/.test(rest)) return [];
  return [`src/${path} reads \`process.env\`: only src/options.ts does; pass what is needed as a parameter.`];
}

function packagesInContainer(sources: Sources): string[] {
  const roots = [...sources.keys()].filter((path) => placeOf(path) === WITHOUT_PACKAGES);
  return [...reachableFrom(roots, sources)].flatMap((path) =>
    loadedBy(path, sources)
      .filter(({ target, specifier }) => target === null && !isBuiltin(specifier))
      .map(
        ({ specifier }) =>
          `src/${path} imports \`${specifier}\`: \`${WITHOUT_PACKAGES}\` loads this file, and the container holds no package.`,
      ),
  );
}

function reachableFrom(roots: readonly string[], sources: Sources): Set<string> {
  const reached = new Set(roots);
  for (const path of reached) {
    for (const { target } of loadedBy(path, sources)) if (target !== null) reached.add(target);
  }
  return reached;
}

/** The imports that are still there when the types are gone. */
function loadedBy(path: string, sources: Sources): Import[] {
  return (sources.get(path)?.imports ?? []).filter(({ typeOnly }) => !typeOnly);
}

/** One of them at a time: what mends it may mend others. */
function findCycle(sources: Sources): string[] {
  const targets = ({ imports }: SourceFile) => imports.flatMap(({ target }) => target ?? []);
  const { cycle } = orderOf(new Map([...sources].map(([path, file]) => [path, targets(file)])));
  if (cycle === null) return [];
  return [`These files import each other: ${cycle.map((file) => `src/${file}`).join(' → ')}.`];
}

/** The folder of `src/` that a file is in, or the file itself when it is in none. */
function placeOf(path: string): string {
  return path.split('/')[0] ?? path;
}

function packageOf(specifier: string): string {
  const [scope = '', name] = specifier.split('/');
  return scope.startsWith('@') ? `${scope}/${name}` : scope;
}

function isBuiltin(specifier: string): boolean {
  return specifier.startsWith('node:') || builtinModules.includes(specifier);
}

function list(names: readonly string[]): string {
  return names.map((name) => `\`${name}\`, `).join('');
}

function main(): void {
  const problems = checkImports(join(import.meta.dirname, '../src'));
  for (const problem of problems) console.error(problem);
  process.exitCode = problems.length === 0 ? 0 : 1;
}

if (import.meta.main) main();
