import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { LurkboxError } from '../errors.ts';
import { lastLines, runCommand } from './command.ts';
import { readElf } from './elf.ts';
import type { Architecture } from './node-binary.ts';

/** Where the loader is, and where it looks for libraries by itself. */
export const LIBRARIES: Readonly<Record<Architecture, { loader: string; folders: readonly string[] }>> = {
  amd64: {
    loader: '/lib64/ld-linux-x86-64.so.2',
    folders: [
      '/lib/x86_64-linux-gnu',
      '/usr/lib/x86_64-linux-gnu',
      '/lib64',
      '/usr/lib64',
      '/lib',
      '/usr/lib',
    ],
  },
  arm64: {
    loader: '/lib/ld-linux-aarch64.so.1',
    folders: [
      '/lib/aarch64-linux-gnu',
      '/usr/lib/aarch64-linux-gnu',
      '/lib64',
      '/usr/lib64',
      '/lib',
      '/usr/lib',
    ],
  },
};

/** What Node is linked against: without one of them there is no image. */
const NODE_NEEDS = [
  'libc.so.6',
  'libdl.so.2',
  'libgcc_s.so.1',
  'libm.so.6',
  'libpthread.so.0',
  'libstdc++.so.6',
] as const;

/**
 * The rest of glibc at run time, and of GCC: native packages are built on machines that have it. Taken as far as the host has
 * it; the tools for debugging among them (`libmemusage.so` and the like) are left out.
 */
const REST = [
  'libBrokenLocale.so.1',
  'libanl.so.1',
  'libatomic.so.1',
  'libmvec.so.1',
  'libnsl.so.1',
  'libnss_compat.so.2',
  'libnss_dns.so.2',
  'libnss_files.so.2',
  'libnss_hesiod.so.2',
  'libresolv.so.2',
  'librt.so.1',
  'libthread_db.so.1',
  'libutil.so.1',
] as const;

/** Older glibcs look up names in files and DNS with libraries that Node's header does not list. */
const OLDEST_GLIBC = '2.34';

export interface Library {
  /** Absolute, on the host and in the image alike: where this loader looks by itself. */
  readonly path: string;
  readonly content: Buffer;
  readonly sha256: string;
}

/** The loader and the libraries of this host; `null` when it lacks one that Node needs or they are of another kind. */
export async function findLibraries(architecture: Architecture): Promise<Library[] | null> {
  const { loader, folders } = LIBRARIES[architecture];
  const find = (sonames: readonly string[], places: readonly string[]) =>
    Promise.all(
      sonames.map((soname) =>
        firstLibrary(
          places.map((folder) => join(folder, soname)),
          architecture,
        ),
      ),
    );
  const found = [await firstLibrary([loader], architecture), ...(await find(NODE_NEEDS, folders))];
  const needed = found.filter((library) => library !== null);
  const libc = needed.find(({ path }) => path.endsWith('/libc.so.6'));
  if (needed.length < found.length || libc === undefined || !isRecentGlibc(libc.content)) return null;
  // Parts of another glibc than the one that is taken would fail when they are loaded.
  const rest = await find(REST, [...new Set(needed.slice(1).map(({ path }) => dirname(path)))]);
  return [...needed, ...rest.filter((library) => library !== null)];
}

async function firstLibrary(paths: readonly string[], architecture: Architecture): Promise<Library | null> {
  for (const path of paths) {
    const content = await readFile(path).catch(() => null);
    if (content === null || readElf(content)?.architecture !== architecture) continue;
    return { path, content, sha256: createHash('sha256').update(content).digest('hex') };
  }
  return null;
}

function isRecentGlibc(libc: Buffer): boolean {
  const at = libc.indexOf('GNU C Library');
  const version = /version (\d+)\.(\d+)/.exec(libc.toString('latin1', at, at + 200));
  if (at === -1 || version === null) return false;
  const [oldestMajor, oldestMinor] = OLDEST_GLIBC.split('.').map(Number);
  const [major, minor] = [Number(version[1]), Number(version[2])];
  return major > oldestMajor! || (major === oldestMajor && minor >= oldestMinor!);
}

/**
 * Asks the loader in an assembled root whether everything Node needs is in that root, in the versions it needs. Node
 * itself is not run. Throws `IMAGE_BUILD_FAILED`.
 */
export async function verifyLibraries(
  root: string,
  program: string,
  architecture: Architecture,
): Promise<void> {
  const { loader, folders } = LIBRARIES[architecture];
  const libraryPath = folders.map((folder) => join(root, folder)).join(':');
  const listing = await runCommand(
    join(root, loader),
    ['--inhibit-cache', '--library-path', libraryPath, '--list', join(root, program)],
    { timeoutMs: 10_000 },
  );
  const problem =
    listing?.exitCode === 0 ? unresolved(listing.stdout, root) : lastLines(listing?.stderr ?? '');
  if (problem === null) return;
  throw new LurkboxError(
    'IMAGE_BUILD_FAILED',
    `the libraries of this host do not fit Node for ${architecture}: ${problem}`,
  );
}

/** The first library in the loader's listing that is missing or lies outside the root; `null` when all is well. */
export function unresolved(listing: string, root: string): string | null {
  const lines = listing.split('\n').filter((line) => line.includes('=>'));
  if (lines.length === 0) return 'the loader listed no library';
  const outside = lines.find((line) => !line.split('=>')[1]?.trim().startsWith(`${root}/`));
  return outside?.trim() ?? null;
}
