import { valid } from 'semver';
import { z } from 'zod';
import { LurkboxError } from '../errors.ts';

/** One package of a lock that an image gets. */
export interface LockedPackage {
  /** Where it lies, e.g. `node_modules/a/node_modules/b`. */
  readonly path: string;
  /** As the registry knows it; a path can have another name. */
  readonly name: string;
  readonly version: string;
  /** `sha512-…` of its tarball. */
  readonly integrity: string;
}

export interface Platform {
  readonly os: string;
  readonly cpu: string;
  readonly libc: string;
}

const ListSchema = z.union([z.string(), z.array(z.string())]).optional();
const EntrySchema = z.object({
  name: z.string().optional(),
  version: z.string().optional(),
  integrity: z.string().optional(),
  inBundle: z.boolean().optional(),
  dev: z.boolean().optional(),
  optional: z.boolean().optional(),
  os: ListSchema,
  cpu: ListSchema,
  libc: ListSchema,
});
type Entry = z.infer<typeof EntrySchema>;
const LockSchema = z.object({ packages: z.record(z.string(), EntrySchema) });

/**
 * The packages that a lock, which `checkLockFile` found in order, has for a platform, sorted by path. What is bundled lies in
 * the tarball of the package above it. Throws `DEPENDENCY_FAILED`.
 */
export function lockedPackages(lock: unknown, platform: Platform): LockedPackage[] {
  const { '': _root, ...packages } = LockSchema.parse(lock).packages;
  return Object.entries(packages)
    .filter(([path, entry]) => !entry.inBundle && !entry.dev && isFor(path, entry, platform))
    .map(([path, entry]) => toLocked(path, entry))
    .sort((a, b) => (a.path < b.path ? -1 : 1));
}

function toLocked(path: string, { name, version, integrity }: Entry): LockedPackage {
  const named = name ?? path.slice(path.lastIndexOf('node_modules/') + 'node_modules/'.length);
  const sha512 = /^sha512-[A-Za-z0-9+/]{86}==/.exec(integrity ?? '')?.[0];
  // Both become arguments of npm, which takes addresses and files there too.
  if (sha512 === undefined || !NAME.test(named) || valid(version) !== version)
    throw new LurkboxError('DEPENDENCY_FAILED', `the lock of the npm packages is not usable at \`${path}\``);
  return { path, name: named, version: version as string, integrity: sha512 };
}

const NAME = /^(?:@[a-z0-9~-][a-z0-9._~-]*\/)?[a-z0-9~-][a-z0-9._~-]*$/i;

function isFor(path: string, entry: Entry, platform: Platform): boolean {
  const fits = (['os', 'cpu', 'libc'] as const).every((key) => isListed(platform[key], entry[key]));
  if (fits || entry.optional) return fits;
  throw new LurkboxError(
    'DEPENDENCY_FAILED',
    `the npm package \`${path}\` is not for ${platform.os} on ${platform.cpu} with ${platform.libc}`,
  );
}

/** As npm reads such a list: `!x` is all but x, and an empty one is everything. */
function isListed(value: string, list: string | readonly string[] | undefined): boolean {
  const entries = list === undefined ? [] : [list].flat();
  if (entries.includes(`!${value}`)) return false;
  const wanted = entries.filter((entry) => !entry.startsWith('!'));
  return wanted.length === 0 || wanted.includes(value) || wanted.includes('any');
}
