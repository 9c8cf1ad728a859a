import { lstat, mkdir, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { LurkboxError } from '../errors.ts';
import type { HostPrograms } from './host-programs.ts';
import type { LockedPackage } from './locked-packages.ts';
import { npmDiskBudget, npmFailure, runNpm } from './npm.ts';
import { integrityOf, type PackageStore } from './package-store.ts';

/** One npm fetches one package after the other. */
const MAX_AT_ONCE = 4;
const PACKAGES_EACH = 8;
/** Their tarballs together: npm keeps each twice. */
const MAX_TARBALL_BYTES = 128 * 1024 * 1024;

export interface FetchOptions {
  /** For tarballs and all that npm needs; nobody else uses it. */
  readonly folder: string;
  readonly store: PackageStore;
  readonly programs: HostPrograms;
  readonly signal?: AbortSignal | undefined;
}

/**
 * The tarball of each package, by integrity, as files with exactly that hash. What is not kept already npm fetches, within
 * `NPM_LIMITS` for all of them together; nothing is unpacked. Throws `DEPENDENCY_FAILED`.
 */
export async function fetchPackages(
  packages: readonly LockedPackage[],
  { folder, store, programs, signal }: FetchOptions,
): Promise<ReadonlyMap<string, string>> {
  const files = new Map<string, string>();
  const missing = new Map<string, LockedPackage>();
  for (const locked of packages) {
    const { integrity } = locked;
    if (files.has(integrity) || missing.has(integrity)) continue;
    signal?.throwIfAborted();
    const file = join(folder, `kept-${files.size}.tgz`);
    if (await store.take(integrity, file)) files.set(integrity, file);
    else missing.set(integrity, locked);
  }
  if (missing.size > 0) {
    for (const [integrity, file] of await fetchMissing([...missing.values()])) {
      files.set(integrity, file);
      await store.keep(integrity, file);
    }
    await store.trim();
  }
  return files;

  async function fetchMissing(wanted: readonly LockedPackage[]): Promise<Map<string, string>> {
    const shares = shareOut(wanted);
    const disk = npmDiskBudget(folder);
    // The first failure ends the others.
    const failing = new AbortController();
    const ended = signal === undefined ? failing.signal : AbortSignal.any([signal, failing.signal]);
    const fetching = shares.map(async (share, index) => {
      const own = join(folder, `fetch-${index}`);
      const cache = join(folder, 'npm-cache');
      await mkdir(own);
      const specs = share.map(({ name, version }) => `${name}@${version}`);
      // To `npm pack` the address that the registry names for a package is a remote one.
      const args = ['pack', '--allow-remote=all', '--json=false', '--', ...specs];
      const npm = await runNpm(programs, args, { folder: own, signal: ended, cache, disk });
      const fault = npmFailure(npm);
      if (fault !== null) throw new LurkboxError('DEPENDENCY_FAILED', fault);
      return matchFiles(share, own);
    });
    try {
      const found = await Promise.all(
        fetching.map((one) =>
          one.catch((error: unknown) => {
            failing.abort();
            throw error;
          }),
        ),
      );
      return new Map(found.flatMap((files) => [...files]));
    } finally {
      failing.abort();
      await Promise.allSettled(fetching);
      await rm(join(folder, 'npm-cache'), { recursive: true, force: true });
    }
  }
}

/** Into lists of which each is for one npm, and has no two packages whose files would have the same name. */
function shareOut(packages: readonly LockedPackage[]): LockedPackage[][] {
  const count = Math.min(MAX_AT_ONCE, Math.ceil(packages.length / PACKAGES_EACH));
  const shares = Array.from({ length: count }, () => new Map<string, LockedPackage>());
  for (const [index, locked] of packages.entries()) {
    const name = packedName(locked);
    const turn = shares.map((_, offset) => shares[(index + offset) % shares.length]!);
    let share = turn.find((one) => !one.has(name));
    if (share === undefined) {
      share = new Map();
      shares.push(share);
    }
    share.set(name, locked);
  }
  return shares.map((share) => [...share.values()]);
}

/** What `npm pack` calls the file. */
function packedName({ name, version }: LockedPackage): string {
  return `${name.replace(/^@/, '').replaceAll('/', '-')}-${version}.tgz`;
}

/** By content and not by name: which file is which, their hashes tell. */
async function matchFiles(packages: readonly LockedPackage[], folder: string): Promise<Map<string, string>> {
  const found = new Map<string, string>();
  let bytes = 0;
  for (const name of await readdir(folder)) {
    const file = join(folder, name);
    const stats = await lstat(file);
    if (!stats.isFile()) continue;
    bytes += stats.size;
    if (bytes > MAX_TARBALL_BYTES)
      throw new LurkboxError(
        'DEPENDENCY_FAILED',
        `the packed npm packages are larger than ${MAX_TARBALL_BYTES / 1024 / 1024} MB`,
      );
    found.set(await integrityOf(file), file);
  }
  for (const { name, version, integrity } of packages) {
    if (found.has(integrity)) continue;
    throw new LurkboxError(
      'DEPENDENCY_FAILED',
      `the registry has another content for ${name}@${version} than the lock: expected ${integrity}`,
    );
  }
  const wanted = new Set(packages.map(({ integrity }) => integrity));
  return new Map([...found].filter(([integrity]) => wanted.has(integrity)));
}
