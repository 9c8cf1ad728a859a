import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { LurkboxError } from '../errors.ts';
import { lastLines, runCommand } from './command.ts';
import { readElf } from './elf.ts';
import type { Architecture } from './node-binary.ts';

/** What Node is linked against; the loader comes first. */
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

const SONAMES = [
  'libc.so.6',
  'libdl.so.2',
  'libgcc_s.so.1',
  'libm.so.6',
  'libpthread.so.0',
  'libstdc++.so.6',
] as const;

/** Older ones look up names in files and DNS with libraries that Node does not say it needs. */
const OLDEST_GLIBC = '2.34';

export interface Library {
  /** Absolute, on the host and in the image alike: where this loader looks by itself. */
  readonly path: string;
  readonly content: Buffer;
  readonly sha256: string;
}

/** The loader and the libraries of this host; `null` when it lacks one or they are of another kind. */
export async function findLibraries(architecture: Architecture): Promise<Library[] | null> {
  const { loader, folders } = LIBRARIES[architecture];
  const found = await Promise.all([
    firstLibrary([loader], architecture),
    ...SONAMES.map((soname) =>
      firstLibrary(
        folders.map((folder) => join(folder, soname)),
        architecture,
      ),
    ),
  ]);
  const libraries = found.filter((library) => library !== null);
  if (libraries.length < found.length) return null;
  const libc = libraries.find(({ path }) => path.endsWith('/libc.so.6'));
  return libc !== undefined && isRecentGlibc(libc.content) ? libraries : null;
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
