import * as z from 'zod';
import { parseJson } from '../json/reader.ts';
import { printable } from '../printable.ts';
import {
  byBytes,
  isPackagePath,
  LOCK_LIMITS,
  type LockEntry,
  LockEntrySchema,
  type PackageLock,
} from './package-lock.ts';
import { PackageTree, parentOf } from './package-tree.ts';

/** Bytes of npm's lock file, which is larger than the lock that is made from it. */
export const MAX_LOCK_FILE_BYTES = 4 * 1024 * 1024;
const MAX_VALUES = 60_000;
const MAX_FAULTS = 20;

const Names = z.record(z.string(), z.unknown()).optional();
const Platforms = z.union([z.string().transform((one) => [one]), z.array(z.string())]).optional();

const NpmPackageSchema = z.object({
  name: z.string().optional(),
  version: z.string().optional(),
  integrity: z.string().optional(),
  // npm is told to omit it for packages of the registry, so a package that has it came from elsewhere.
  resolved: z.string().optional(),
  link: z.boolean().optional(),
  inBundle: z.boolean().optional(),
  hasShrinkwrap: z.boolean().optional(),
  os: Platforms,
  cpu: Platforms,
  libc: Platforms,
  dependencies: Names,
  optionalDependencies: Names,
  peerDependencies: Names,
  // Only the root has these.
  devDependencies: Names,
});
export type NpmPackage = z.infer<typeof NpmPackageSchema>;

const LockFileSchema = z.object({
  lockfileVersion: z.union([z.literal(2), z.literal(3)]),
  packages: z.record(z.string(), NpmPackageSchema),
});

export type LockFileReading =
  | { readonly ok: true; readonly lock: PackageLock }
  | { readonly ok: false; readonly faults: readonly string[] };

/**
 * The lock in the file that npm wrote, whose content is the registry's: everything in it must have come from the registry
 * with a hash. Otherwise one sentence per fault.
 */
export function readLockFile(text: string): LockFileReading {
  const reading = readPackages(text, { bytes: MAX_LOCK_FILE_BYTES, values: MAX_VALUES });
  return reading.ok ? judge(reading.packages, RULES) : reading;
}

/** What stands in a lock file, by place, and its root. Nothing of it is judged. */
export type PackagesReading =
  | { readonly ok: true; readonly packages: Found; readonly root: NpmPackage | undefined }
  | { readonly ok: false; readonly faults: readonly string[] };

export function readPackages(text: string, limits: { bytes: number; values: number }): PackagesReading {
  if (Buffer.byteLength(text) > limits.bytes)
    return failed([`the lock file is larger than ${limits.bytes / 1024 / 1024} MB`]);
  const reading = parseJson(text, { maxDepth: 8, maxValues: limits.values });
  if (!reading.ok)
    return failed(reading.faults.map(({ message }) => `the lock file cannot be read: ${message}`));
  const { data } = LockFileSchema.safeParse(reading.value);
  if (data === undefined) return failed([notAVersion(reading.value)]);
  const { '': root, ...packages } = data.packages;
  return { ok: true, root, packages: new Map(Object.entries(packages).sort(([a], [b]) => byBytes(a, b))) };
}

function notAVersion(value: unknown): string {
  const isOld = (value as { lockfileVersion?: unknown } | null)?.lockfileVersion === 1;
  const fault = 'the lock file is not one that npm writes in version 2 or 3';
  return isOld ? `${fault}, but in version 1` : fault;
}

/** The lock of these packages, or one sentence for each rule that one of them breaks. */
export function judge(found: Found, rules: readonly Rule[]): LockFileReading {
  if (found.size > LOCK_LIMITS.packages)
    return failed([`${found.size} packages would be installed; at most ${LOCK_LIMITS.packages} may be`]);
  const faults = [...found].flatMap(([path, entry]) => faultsOf(path, entry, found, rules));
  return faults.length > 0 ? failed(faults) : toLock(found);
}

export type Found = ReadonlyMap<string, NpmPackage>;
export type Rule = (path: string, entry: NpmPackage, found: Found) => string | false;

const RULES: readonly Rule[] = [
  (path) => !isPackagePath(path) && 'is not a package below `node_modules`',
  (_, { link }) => link === true && 'is a link to a folder',
  (_, { resolved }) => resolved !== undefined && 'does not come from the npm registry',
  (_, { hasShrinkwrap }) =>
    hasShrinkwrap === true && 'brings its own `npm-shrinkwrap.json`, which can name other sources',
  (path, entry, found) => ownerOf(path, entry, found) === null && 'is packed in no other package',
];

function faultsOf(path: string, entry: NpmPackage, found: Found, rules: readonly Rule[]): string[] {
  return rules
    .map((rule) => rule(path, entry, found))
    .filter((fault) => fault !== false)
    .map((fault) => `\`${printable(path)}\` ${fault}`);
}

/**
 * The package whose tarball holds this one: itself, or a package above it that bundles it; `null` where there is none. A package that
 * the plugin itself claims to bundle comes from the registry, too, and has a hash.
 */
export function ownerOf(path: string, entry: NpmPackage, found: Found): string | null {
  if (entry.inBundle !== true || entry.integrity !== undefined) return path;
  const above = parentOf(path) ?? '';
  const parent = found.get(above);
  return parent === undefined ? null : ownerOf(above, parent, found);
}

/** What was packed inside another package is covered by that package's hash, and is no entry of its own. */
function toLock(found: Found): LockFileReading {
  const tree = new PackageTree(found.keys());
  const needs = new Map<string, { requires: Set<string>; optional: Set<string> }>();
  const faults: string[] = [];
  for (const [path, entry] of found) {
    const owner = ownerOf(path, entry, found)!;
    const own = needs.get(owner) ?? { requires: new Set(), optional: new Set() };
    needs.set(owner, own);
    for (const { name, kind } of namesOf(entry)) {
      const target = tree.find(path, name);
      const isWithin = target !== null && ownerOf(target, found.get(target)!, found) !== target;
      if (target !== null && !isWithin) (kind === 'required' ? own.requires : own.optional).add(name);
      else if (target === null && kind === 'required' && owner === path)
        faults.push(`\`${path}\` needs \`${printable(name)}\`, which is not in the lock file`);
    }
  }
  const packages = new Map<string, LockEntry>();
  for (const [path, { requires, optional }] of needs) {
    const { data, error } = LockEntrySchema.safeParse(toLocked(path, found.get(path)!, requires, optional));
    if (data !== undefined) packages.set(path, data);
    else
      for (const { path: where, message } of error.issues.slice(0, MAX_FAULTS))
        faults.push(`\`${path}\` has an unusable \`${where.join('.')}\`: ${message}`);
  }
  return faults.length > 0 ? failed(faults) : { ok: true, lock: { packages: Object.fromEntries(packages) } };
}

/** npm writes what is optional into both lists of a package; there the optional one counts. */
export function namesOf({ dependencies = {}, optionalDependencies = {}, peerDependencies = {} }: NpmPackage) {
  const named = (names: object, kind: 'required' | 'optional') =>
    Object.keys(names).map((name) => ({ name, kind }));
  return [
    ...named(dependencies, 'required').filter(({ name }) => !Object.hasOwn(optionalDependencies, name)),
    ...named(optionalDependencies, 'optional'),
    // Whether a peer has to be there was decided when the tree was made.
    ...named(peerDependencies, 'optional'),
  ];
}

/** Where Node finds a package from a place; `null` where it does not. */
export function findFrom(
  place: string,
  name: string,
  packages: { has(path: string): boolean },
): string | null {
  for (let at: string | null = place; at !== null; at = parentOf(at)) {
    const candidate = `${at === '' ? '' : `${at}/`}node_modules/${name}`;
    if (packages.has(candidate)) return candidate;
  }
  return null;
}

function toLocked(path: string, entry: NpmPackage, requires: Set<string>, optional: Set<string>): object {
  const place = path.slice(path.lastIndexOf('node_modules/') + 'node_modules/'.length);
  const { name, version, integrity, os, cpu, libc } = entry;
  return {
    name: name === place ? undefined : name,
    version,
    integrity,
    os: toSorted(os),
    cpu: toSorted(cpu),
    libc: toSorted(libc),
    requires: toSorted(requires),
    optional: toSorted([...optional].filter((one) => !requires.has(one))),
  };
}

function toSorted(values: Iterable<string> | undefined): string[] | undefined {
  const sorted = [...new Set(values ?? [])].sort(byBytes);
  return sorted.length === 0 ? undefined : sorted;
}

export function failed(faults: readonly string[]): { ok: false; faults: readonly string[] } {
  const shown = faults.slice(0, MAX_FAULTS);
  const more = faults.length - shown.length;
  return { ok: false, faults: more === 0 ? shown : [...shown, `and ${more} more`] };
}
