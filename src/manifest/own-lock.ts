import { printable } from '../printable.ts';
import { splitDependency } from './fields.ts';
import {
  type Found,
  failed,
  judge,
  type LockFileReading,
  MAX_LOCK_FILE_BYTES,
  type NpmPackage,
  namesOf,
  ownerOf,
  type Rule,
  readPackages,
} from './npm-lock-file.ts';
import { isInRange, isPackagePath, isSha512 } from './package-lock.ts';
import { PackageTree } from './package-tree.ts';

/** Of the file that an author brings along, in which packages for developing stand too. */
export const OWN_LOCK_LIMITS = { bytes: MAX_LOCK_FILE_BYTES, values: 200_000, packages: 10_000 } as const;

/** `null`: the file is one of packages for developing alone, and says nothing of what the plugin needs. */
export type OwnLockReading = LockFileReading | { readonly ok: true; readonly lock: null };

/**
 * The lock in a lock file that the plugin's author brought along, as `npm ci` would obey it: its versions and hashes, of all that
 * `dependencies` reach in it. What else stands there (packages for developing, workspaces) is not installed and not judged. The
 * addresses in it are never asked: packages come from the registry that npm is set up for, with the hash of the lock.
 */
export function readOwnLock(text: string, dependencies: readonly string[]): OwnLockReading {
  const reading = readPackages(text, OWN_LOCK_LIMITS);
  if (!reading.ok) return failed(reading.faults.map((fault) => `${fault}; ${WRITE_AGAIN}`));
  const all = reading.packages;
  if (all.size > OWN_LOCK_LIMITS.packages)
    return failed([`the lock file has ${all.size} packages; at most ${OWN_LOCK_LIMITS.packages} may be`]);
  const misplaced = [...all.keys()].filter(
    (path) => path.startsWith('node_modules/') && !isPackagePath(path),
  );
  if (misplaced.length > 0)
    return failed(misplaced.map((path) => `\`${printable(path)}\` is not a place that npm installs to`));
  if (isForDeveloping(reading.root) && !dependencies.some((written) => all.has(placeOf(written))))
    return { ok: true, lock: null };
  const disagreements = dependencies.flatMap((written) => disagreementOf(written, all) ?? []);
  if (disagreements.length > 0) return failed(disagreements);
  return judge(reachedBy(dependencies, all), RULES);
}

const WRITE_AGAIN = 'run `npm install --package-lock-only` with npm 7 or newer in the folder';
const NOT_FROM_REGISTRY =
  'only packages of the npm registry are installed: name a published version, or bring the packages along with `"dependencies": "vendored"`';

const RULES: readonly Rule[] = [
  (_, { link }) => link === true && `is a link to a folder (\`file:\` or a workspace); ${NOT_FROM_REGISTRY}`,
  (_, { resolved }) =>
    resolved !== undefined &&
    !isOfRegistry(resolved) &&
    `comes from ${kindOf(resolved)}; ${NOT_FROM_REGISTRY}`,
  (_, { hasShrinkwrap }) =>
    hasShrinkwrap === true &&
    'brings its own `npm-shrinkwrap.json`, which can name other sources; take another version of it',
  (path, entry, found) =>
    ownerOf(path, entry, found) === null &&
    'is said to be packed in another package, and is in none; remove `node_modules` and the lock file and run `npm install`',
  (path, entry, found) =>
    ownerOf(path, entry, found) === path &&
    !isSha512(entry.integrity ?? '') &&
    `has no sha512 hash as \`integrity\`; remove \`node_modules\` and the lock file and run \`npm install\`, which writes one`,
];

/** Of an author who has the tools in package.json, and what the plugin needs in plugin.json alone. */
function isForDeveloping(root: NpmPackage | undefined): boolean {
  const {
    dependencies = {},
    optionalDependencies = {},
    peerDependencies = {},
    devDependencies = {},
  } = root ?? {};
  const needed = [dependencies, optionalDependencies, peerDependencies].flatMap(Object.keys);
  return needed.length === 0 && Object.keys(devDependencies).length > 0;
}

function placeOf(written: string): string {
  return `node_modules/${splitDependency(written).name}`;
}

/** As `npm ci` compares a lock file with what is asked for; `null` where both agree. */
function disagreementOf(written: string, all: Found): string | null {
  const { name, range } = splitDependency(written);
  const locked = all.get(`node_modules/${name}`);
  const install = `run \`npm install ${written}\` in the folder, or change \`dependencies\` of plugin.json`;
  if (locked === undefined)
    return `\`dependencies\` of plugin.json has \`${written}\`, which is not in the lock file; ${install}`;
  if (locked.link === true) return null;
  if (locked.name !== undefined && locked.name !== name)
    return `\`${name}\` is the package \`${printable(locked.name)}\` in the lock file (an alias), and \`dependencies\` of plugin.json asks for \`${written}\`; name the package by its own name in both`;
  if (isInRange(locked.version ?? '', range)) return null;
  return `\`dependencies\` of plugin.json has \`${written}\`, and the lock file has ${printable(locked.version ?? 'no version')} of it; ${install}`;
}

/** With the one strong hash alone where npm wrote weaker ones beside it. */
function reachedBy(dependencies: readonly string[], all: Found): Found {
  const tree = new PackageTree([...all.keys()].filter(isPackagePath));
  const reached = new Set(dependencies.map(placeOf));
  for (const path of reached) {
    const entry = all.get(path) as NpmPackage;
    // What is packed inside of a package is no entry of the lock, and tells what it needs from outside.
    const owner = ownerOf(path, entry, all);
    if (owner !== null) reached.add(owner);
    for (const { name } of namesOf(entry)) {
      const target = tree.find(path, name);
      if (target !== null) reached.add(target);
    }
  }
  return new Map(
    [...all].filter(([path]) => reached.has(path)).map(([path, entry]) => [path, withOneHash(entry)]),
  );
}

function withOneHash(entry: NpmPackage): NpmPackage {
  const strong = (entry.integrity ?? '').split(/\s+/).filter((hash) => hash.startsWith('sha512-'));
  return strong.length === 1 && strong[0] !== undefined ? { ...entry, integrity: strong[0] } : entry;
}

/** `…/name/-/name-1.0.0.tgz`, as every registry names its tarballs, or GitHub's `…/download/name/1.0.0/…`; whose, does not matter. */
function isOfRegistry(resolved: string): boolean {
  const url = URL.parse(resolved);
  if (url === null || !['http:', 'https:'].includes(url.protocol)) return false;
  return url.pathname.includes('/-/') || url.pathname.startsWith('/download/');
}

function kindOf(resolved: string): string {
  const [, kind] = KINDS.find(([pattern]) => pattern.test(resolved)) ?? [];
  return kind ?? 'something that is no address of a registry';
}

const KINDS: readonly (readonly [RegExp, string])[] = [
  [/^git\b|^git[+:]/, 'a git address'],
  [/^file:/, 'a file of the machine that it was locked on'],
  [/^https?:/, 'an address of its own and not from a registry'],
];
