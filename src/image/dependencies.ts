import { lstat, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { LurkboxError } from '../errors.ts';
import { splitDependency } from '../manifest/fields.ts';
import type { HostPrograms } from './host-programs.ts';
import type { LayerEntry } from './layer.ts';
import { checkLockFile } from './lock-file.ts';
import { type Architecture, NODE_BINARIES } from './node-binary.ts';
import { npmFailure, runNpm } from './npm.ts';

/** What an installed dependency tree may hold. */
export const DEPENDENCY_LIMITS = {
  files: 20_000,
  bytes: 256 * 1024 * 1024,
} as const;

/** Why npm is called this way. Options that an older npm does not know cost nothing there; the lock file is checked after. */
const NPM_ARGUMENTS: readonly string[] = [
  'install',
  '--install-links=false',
  '--omit-lockfile-registry-resolved=true',
  // Nothing that the user's own npm settings may say otherwise.
  '--package-lock=true',
  '--lockfile-version=3',
  '--omit=dev',
  '--bin-links=false',
  '--install-strategy=hoisted',
  '--audit=false',
  '--fund=false',
];

/**
 * Installs npm packages (`name@range`) into a fresh folder with the user's npm, and returns what there is below
 * `node_modules`, sorted, with paths that start with `node_modules/`. No script of any package runs. Throws
 * `DEPENDENCY_FAILED`.
 */
export async function installDependencies(
  dependencies: readonly string[],
  {
    folder,
    architecture,
    programs,
    signal,
  }: { folder: string; architecture: Architecture; programs: HostPrograms; signal?: AbortSignal },
): Promise<LayerEntry[]> {
  await writePackageFile(folder, dependencies);
  const { cpu } = NODE_BINARIES[architecture];
  const npm = await runNpm(programs, [...NPM_ARGUMENTS, '--os=linux', `--cpu=${cpu}`, '--libc=glibc'], {
    folder,
    signal,
  });
  const fault = npmFailure(npm);
  if (fault !== null) throw failure(dependencies, fault);
  await assertFromRegistry(folder, dependencies);
  return collectFiles(folder, dependencies);
}

async function writePackageFile(folder: string, dependencies: readonly string[]): Promise<void> {
  const ranges = dependencies.map((written) => {
    const { name, range } = splitDependency(written);
    return [name, range === '' ? '*' : range];
  });
  const content = {
    name: 'plugin',
    version: '0.0.0',
    private: true,
    dependencies: Object.fromEntries(ranges),
  };
  await writeFile(join(folder, 'package.json'), JSON.stringify(content));
}

async function assertFromRegistry(folder: string, dependencies: readonly string[]): Promise<void> {
  const faults = checkLockFile(await readFile(join(folder, 'package-lock.json'), 'utf8'));
  if (faults.length === 0) return;
  throw failure(dependencies, `only packages from the npm registry are installed, but ${faults[0]}`, faults);
}

async function collectFiles(folder: string, dependencies: readonly string[]): Promise<LayerEntry[]> {
  const entries: LayerEntry[] = [];
  let sizeBytes = 0;
  await walk('node_modules');
  return entries;

  async function walk(path: string): Promise<void> {
    for (const name of (await readdir(join(folder, path))).sort()) {
      const child = `${path}/${name}`;
      if (SKIPPED.has(child)) continue;
      // In a layer such a name deletes another file.
      if (name.startsWith('.wh.')) throw failure(dependencies, `\`${child}\` has a name that layers reserve`);
      const found = await lstat(join(folder, child));
      if (found.isDirectory()) {
        entries.push({ path: child, type: 'folder' });
        await walk(child);
      } else if (found.isFile()) {
        const content = { file: join(folder, child), sizeBytes: found.size };
        entries.push({ path: child, type: 'file', content });
        sizeBytes += found.size;
      } else {
        throw failure(dependencies, `\`${child}\` is neither a file nor a folder`);
      }
      assertWithinLimits(entries.length, sizeBytes, dependencies);
    }
  }
}

// What npm keeps for itself.
const SKIPPED: ReadonlySet<string> = new Set(['node_modules/.bin', 'node_modules/.package-lock.json']);

function assertWithinLimits(files: number, bytes: number, dependencies: readonly string[]): void {
  const { files: maxFiles, bytes: maxBytes } = DEPENDENCY_LIMITS;
  if (files > maxFiles) throw failure(dependencies, `they are more than ${maxFiles} files and folders`);
  if (bytes > maxBytes) throw failure(dependencies, `they are larger than ${maxBytes / 1024 / 1024} MB`);
}

function failure(
  dependencies: readonly string[],
  reason: string,
  faults: readonly string[] = [],
): LurkboxError {
  return new LurkboxError(
    'DEPENDENCY_FAILED',
    `\`dependencies\` ${dependencies.join(', ')} could not be installed: ${reason}`,
    { problems: faults.map((message) => ({ path: 'dependencies', message })) },
  );
}
