import { z } from 'zod';
import { parseJson } from '../json.ts';

/** More than any plugin needs; a tree as large as this is a mistake or an attack. */
export const MAX_PACKAGES = 2000;

const PackageSchema = z.object({
  integrity: z.string().optional(),
  // npm is told to leave it out for what came from the registry, so that its presence tells the rest.
  resolved: z.string().optional(),
  link: z.boolean().optional(),
  inBundle: z.boolean().optional(),
  hasShrinkwrap: z.boolean().optional(),
});
type LockedPackage = z.infer<typeof PackageSchema>;

const LockFileSchema = z.object({
  lockfileVersion: z.union([z.literal(2), z.literal(3)]),
  packages: z.record(z.string(), PackageSchema),
});

type Rule = (path: string, locked: LockedPackage, packages: Record<string, LockedPackage>) => string | false;

const RULES: readonly Rule[] = [
  (path) => !PACKAGE_PATH.test(path) && 'is not a package below `node_modules`',
  (_, { link }) => link === true && 'is a link to a folder',
  (_, { resolved }) => resolved !== undefined && 'does not come from the npm registry',
  (_, { hasShrinkwrap }) =>
    hasShrinkwrap === true && 'brings its own `npm-shrinkwrap.json`, which can name other sources',
  (path, locked, packages) => !isPinned(path, locked, packages) && 'has no sha512 integrity',
];

const NAME = '(?:@[a-z0-9~-][a-z0-9._~-]*/)?[a-z0-9~-][a-z0-9._~-]*';
const PACKAGE_PATH = new RegExp(`^node_modules/${NAME}(?:/node_modules/${NAME})*$`, 'i');

/**
 * What is wrong with the lock file that npm wrote: everything in it must have come from the registry with a hash. One
 * sentence per fault; empty when all is well.
 */
export function checkLockFile(text: string): string[] {
  const reading = parseJson(text);
  if (!reading.ok) return reading.faults.map(({ message }) => `the lock file is ${message}`);
  const { data } = LockFileSchema.safeParse(reading.value);
  if (data === undefined) return ['the lock file is not of version 2 or 3'];
  const { '': _root, ...packages } = data.packages;
  const count = Object.keys(packages).length;
  if (count > MAX_PACKAGES) return [`${count} packages would be installed; at most ${MAX_PACKAGES} may be`];
  return Object.entries(packages).flatMap(([path, locked]) =>
    RULES.map((rule) => rule(path, locked, packages))
      .filter((fault) => fault !== false)
      .map((fault) => `\`${path}\` ${fault}`),
  );
}

// What was packed inside another package is covered by that package's hash.
function isPinned(path: string, locked: LockedPackage, packages: Record<string, LockedPackage>): boolean {
  if (locked.integrity !== undefined) return /^sha512-[A-Za-z0-9+/]{86}==/.test(locked.integrity);
  const parentPath = path.slice(0, path.lastIndexOf('/node_modules/'));
  const parent = packages[parentPath];
  return locked.inBundle === true && parent !== undefined && isPinned(parentPath, parent, packages);
}
