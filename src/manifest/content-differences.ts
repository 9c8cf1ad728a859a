import { escapeAndCut } from '../printable.ts';
import type { PluginFile, PluginLink } from './digest.ts';
import { compareLocks } from './lock-differences.ts';
import { type PackageLock, parseLock } from './package-lock.ts';

/** Everything that a digest covers. */
export interface Content {
  readonly files: readonly PluginFile[];
  readonly links: readonly PluginLink[];
  readonly lock: string | null;
}

/** How two contents differ; each list is sorted. */
export interface ContentDifferences {
  readonly added: readonly string[];
  readonly removed: readonly string[];
  readonly changed: readonly string[];
  /** npm packages that differ: `name@version` at a place, before and after. */
  readonly packages: readonly string[];
}

const MAX_NAMED = 10;
const MAX_NAME_CHARS = 200;

export function compareContents(before: Content, after: Content): ContentDifferences {
  const [former, present] = [entriesOf(before), entriesOf(after)];
  return {
    added: [...present.keys()].filter((path) => !former.has(path)),
    removed: [...former.keys()].filter((path) => !present.has(path)),
    changed: [...present].flatMap(([path, sha256]) =>
      former.has(path) && former.get(path) !== sha256 ? [path] : [],
    ),
    packages: comparePackages(before.lock, after.lock),
  };
}

/** Path → the hash of a file, or the target of a link. */
function entriesOf({ files, links }: Content): ReadonlyMap<string, string> {
  const targets = links.map(({ path, target }) => [path, `-> ${target}`] as const);
  return new Map([...files.map(({ path, sha256 }) => [path, sha256] as const), ...targets]);
}

/** In words: the first ten names, and how many there are beyond those. */
export function describeDifferences({ added, removed, changed, packages }: ContentDifferences): string {
  const all = [
    ...changed.map((path) => `changed ${quoteName(path)}`),
    ...added.map((path) => `added ${quoteName(path)}`),
    ...removed.map((path) => `removed ${quoteName(path)}`),
    ...packages.map((text) => `npm package ${text}`),
  ];
  if (all.length === 0) return 'the files are the same';
  const more = all.length > MAX_NAMED ? ` and ${all.length - MAX_NAMED} more` : '';
  return `${all.slice(0, MAX_NAMED).join(', ')}${more}`;
}

function quoteName(path: string): string {
  return `\`${escapeAndCut(path, MAX_NAME_CHARS)}\``;
}

function comparePackages(before: string | null, after: string | null): string[] {
  if (before === after) return [];
  return compareLocks(readLock(before), readLock(after)).map(({ place, from, to }) => {
    const name = quoteName(place.replace(/^node_modules\//, ''));
    if (from === null || to === null) return `${name} ${from ?? to} ${from === null ? 'added' : 'removed'}`;
    return from === to ? `${name} ${to} of other bytes` : `${name} ${from} → ${to}`;
  });
}

function readLock(text: string | null): PackageLock {
  if (text === null) return NO_PACKAGES;
  try {
    return parseLock(text);
  } catch {
    return NO_PACKAGES;
  }
}

const NO_PACKAGES: PackageLock = { packages: {} };
