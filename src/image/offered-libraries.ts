import { basename } from 'node:path';
import type { BasePlan } from './base-image.ts';
import { inMemory, readElfNeeds } from './elf-needs.ts';

/** What the loader finds in a base image, for native files of packages. */
export interface OfferedLibraries {
  has(library: string): boolean;
  /** Whether a library that it has lacks a version of symbols. */
  lacks(library: string, version: string): boolean;
  /** The newest version of a library with the same prefix as this one, for messages; `null` where there is none. */
  newest(library: string, version: string): string | null;
}

/** Of bookworm, which `images/Dockerfile` names. */
const IN_DOCKERFILE = {
  libraries: [
    'ld-linux-aarch64.so.1',
    'ld-linux-x86-64.so.2',
    'libBrokenLocale.so.1',
    'libanl.so.1',
    'libc.so.6',
    'libdl.so.2',
    'libgcc_s.so.1',
    'libm.so.6',
    'libmvec.so.1',
    'libnsl.so.1',
    'libnss_compat.so.2',
    'libnss_dns.so.2',
    'libnss_files.so.2',
    'libnss_hesiod.so.2',
    'libpthread.so.0',
    'libresolv.so.2',
    'librt.so.1',
    'libstdc++.so.6',
    'libthread_db.so.1',
    'libutil.so.1',
  ],
  newest: ['GLIBC_2.36', 'GLIBCXX_3.4.30', 'CXXABI_1.3.13', 'GCC_12.0.0'],
} as const;

export function offeredLibraries(plan: BasePlan): OfferedLibraries {
  if (plan.method === 'dockerfile') return inDockerfile();
  const defined = new Map(
    plan.libraries.map(({ path, content }) => [
      basename(path),
      readElfNeeds(inMemory(content))?.defines ?? [],
    ]),
  );
  return {
    has: (library) => defined.has(library),
    lacks: (library, version) => !(defined.get(library) ?? []).includes(version),
    newest: (library, version) => newestOf(defined.get(library) ?? [], version),
  };
}

function inDockerfile(): OfferedLibraries {
  const { libraries, newest } = IN_DOCKERFILE;
  return {
    has: (library) => (libraries as readonly string[]).includes(library),
    lacks: (_, version) => {
      const last = newestOf(newest, version);
      return last !== null && compareVersions(version, last) > 0;
    },
    newest: (_, version) => newestOf(newest, version),
  };
}

function newestOf(versions: readonly string[], like: string): string | null {
  const same = versions.filter(
    (version) => prefixOf(version) === prefixOf(like) && numbersOf(version) !== null,
  );
  return same.sort(compareVersions).at(-1) ?? null;
}

function prefixOf(version: string): string {
  return version.slice(0, version.lastIndexOf('_'));
}

/** `null` for names without numbers, such as `GLIBC_PRIVATE`. */
function numbersOf(version: string): number[] | null {
  const numbers = version.slice(version.lastIndexOf('_') + 1);
  return /^\d{1,6}(?:\.\d{1,6}){0,5}$/.test(numbers) ? numbers.split('.').map(Number) : null;
}

/** Of one prefix; names without numbers come first. */
export function compareVersions(a: string, b: string): number {
  const [left, right] = [numbersOf(a) ?? [], numbersOf(b) ?? []];
  for (let index = 0; index < Math.max(left.length, right.length); index++) {
    const difference = (left[index] ?? 0) - (right[index] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}
