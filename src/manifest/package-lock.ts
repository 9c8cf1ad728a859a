import semver from 'semver';
import * as z from 'zod';
import { type JsonFault, parseJson } from '../json/reader.ts';
import { splitDependency } from './fields.ts';

/**
 * The lock of a plugin's npm packages: which bytes each of them is, for every platform. It is part of the content of the
 * plugin, so equal packages must give equal text: only what decides what is installed is in it, sorted, and neither which
 * registry it came from nor what npm notes beside.
 */
export interface PackageLock {
  /** The file of the plugin's author that it was read from; absent: npm chose the packages for lurkbox. */
  readonly source?: LockSource | undefined;
  /** By the place below the plugin's folder, `node_modules/a/node_modules/b`, sorted. */
  readonly packages: Readonly<Record<string, LockEntry>>;
}

/** Lock files that authors bring along, the one first that npm prefers. */
export const LOCK_FILES = ['npm-shrinkwrap.json', 'package-lock.json'] as const;
export type LockSource = (typeof LOCK_FILES)[number];

export interface LockEntry {
  /** Only where the package is installed under another name than its own. */
  readonly name?: string | undefined;
  readonly version: string;
  /** Of the tarball: `sha512-` and base64. */
  readonly integrity: string;
  /** Platforms that it is for, as its author wrote them; absent: all. */
  readonly os?: readonly string[] | undefined;
  readonly cpu?: readonly string[] | undefined;
  readonly libc?: readonly string[] | undefined;
  /** Names under which it needs others, and under which it takes others where they fit the platform. */
  readonly requires?: readonly string[] | undefined;
  readonly optional?: readonly string[] | undefined;
}

/** More than any plugin needs; a tree as large as this is a mistake or an attack. */
export const LOCK_LIMITS = {
  packages: 2000,
  /** Names in one list. */
  names: 1000,
  /** Of the text of a lock. */
  bytes: 1024 * 1024,
} as const;

const MAX_NAME_CHARS = 214;
const MAX_PATH_CHARS = 512;
/** Packages inside of packages; each level is a place to look for what the innermost needs. */
const MAX_LEVELS = 16;
const MAX_VALUES = 100_000;

const NAME = '(?:@[a-z0-9~-][a-z0-9._~-]*/)?[a-z0-9~-][a-z0-9._~-]*';
const PACKAGE_NAME = new RegExp(`^${NAME}$`, 'i');
const PACKAGE_PATH = new RegExp(`^node_modules/${NAME}(?:/node_modules/${NAME})*$`, 'i');

/** What a package may be called. `constructor` and the like are names too, so a record of them needs `Object.hasOwn`. */
export function isPackageName(name: string): boolean {
  return name.length <= MAX_NAME_CHARS && PACKAGE_NAME.test(name);
}

export function isPackagePath(path: string): boolean {
  return (
    path.length <= MAX_PATH_CHARS &&
    PACKAGE_PATH.test(path) &&
    path.split('/node_modules/').length <= MAX_LEVELS
  );
}

/** A hash in exactly one spelling: two spellings of one hash would be two locks of the same packages. */
export function isSha512(integrity: string): boolean {
  if (!/^sha512-[A-Za-z0-9+/]{86}==$/.test(integrity)) return false;
  const base64 = integrity.slice('sha512-'.length);
  return Buffer.from(base64, 'base64').toString('base64') === base64;
}

const PackageNameSchema = z.string().refine(isPackageName, 'expected the name of an npm package');

const names = () =>
  z
    .array(PackageNameSchema)
    .min(1)
    .max(LOCK_LIMITS.names)
    .refine(isSortedSet, 'expected sorted names, none of them twice')
    .optional();

const platforms = () =>
  z
    .array(z.string().regex(/^!?[A-Za-z0-9_-]{1,32}$/, 'expected the name of a platform'))
    .min(1)
    .max(64)
    .refine(isSortedSet, 'expected sorted names, none of them twice')
    .optional();

export const LockEntrySchema = z.strictObject({
  name: PackageNameSchema.optional(),
  version: z.string().max(256).refine(isExactVersion, 'expected an exact version'),
  integrity: z.string().refine(isSha512, 'expected one sha512 hash in base64'),
  os: platforms(),
  cpu: platforms(),
  libc: platforms(),
  requires: names(),
  optional: names(),
});

const LockSchema = z.strictObject({
  lurkboxPackages: z.literal(1),
  source: z.enum(LOCK_FILES).optional(),
  packages: z
    .record(z.string().refine(isPackagePath, 'expected a place below `node_modules`'), LockEntrySchema)
    .refine((packages) => isSortedSet(Object.keys(packages)), 'expected sorted places')
    .refine(
      (packages) => Object.keys(packages).length <= LOCK_LIMITS.packages,
      `expected at most ${LOCK_LIMITS.packages} packages`,
    ),
});

/** The one text of a lock. `toLockText(parseLock(text))` is `text`. */
export function toLockText({ source, packages }: PackageLock): string {
  const places = Object.keys(packages).sort(byBytes);
  const lines = places.map((place) => `${JSON.stringify(place)}:${toEntryText(packages[place]!)}`);
  const head = source === undefined ? '' : `"source":${JSON.stringify(source)},`;
  return `{"lurkboxPackages":1,${head}"packages":{${lines.length === 0 ? '' : `\n${lines.join(',\n')}\n`}}}\n`;
}

function toEntryText({ name, version, integrity, os, cpu, libc, requires, optional }: LockEntry): string {
  return JSON.stringify({ name, version, integrity, os, cpu, libc, requires, optional });
}

/** Throws an `Error` with what is wrong when it is not exactly the text of a lock. */
export function parseLock(text: string): PackageLock {
  if (Buffer.byteLength(text) > LOCK_LIMITS.bytes)
    throw new Error(`it is larger than ${LOCK_LIMITS.bytes} bytes`);
  const reading = parseJson(text, { maxDepth: 5, maxValues: MAX_VALUES });
  if (!reading.ok) throw new Error(`it is ${(reading.faults[0] as JsonFault).message}`);
  const { data, error } = LockSchema.safeParse(reading.value);
  if (data === undefined) {
    const [issue] = error.issues;
    throw new Error(`${issue?.path.slice(0, 4).join(' ')}: ${issue?.message}`);
  }
  const lock = { packages: data.packages, ...(data.source !== undefined && { source: data.source }) };
  if (toLockText(lock) !== text) throw new Error('it is not written as a lock is');
  return lock;
}

/** Whether a lock is of these dependencies: each is there, under its own name, in its range. */
export function isLockOf({ packages }: PackageLock, dependencies: readonly string[]): boolean {
  return dependencies.every((written) => {
    const { name, range } = splitDependency(written);
    const place = `node_modules/${name}`;
    const locked = Object.hasOwn(packages, place) ? packages[place] : undefined;
    return locked !== undefined && locked.name === undefined && isInRange(locked.version, range);
  });
}

export function isInRange(version: string, range: string): boolean {
  return range === '' || range === '*' || semver.satisfies(version, range, { loose: true });
}

/** How many packages the text of a lock holds, for people. */
export function countPackages(text: string): number {
  return text.match(/^"node_modules\//gm)?.length ?? 0;
}

/** The file of its author that the text of a lock was read from; `null`: none. */
export function lockSourceOf(text: string): LockSource | null {
  return LOCK_FILES.find((file) => text.startsWith(`{"lurkboxPackages":1,"source":"${file}",`)) ?? null;
}

function isExactVersion(version: string): boolean {
  const parsed = semver.parse(version);
  if (parsed === null) return false;
  return parsed.version + (parsed.build.length === 0 ? '' : `+${parsed.build.join('.')}`) === version;
}

function isSortedSet(values: readonly string[]): boolean {
  return values.every((value, index) => index === 0 || byBytes(values[index - 1]!, value) < 0);
}

export function byBytes(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a), Buffer.from(b));
}
