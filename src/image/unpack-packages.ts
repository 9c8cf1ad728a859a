import { createReadStream } from 'node:fs';
import { type Readable, Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGunzip } from 'node:zlib';
import { type Extract, extract } from 'tar-stream';
import { LurkboxError } from '../errors.ts';
import { quotePath } from '../printable.ts';
import type { LayerEntry } from './layer.ts';
import type { LockedPackage } from './locked-packages.ts';

/** What the packages of a plugin may hold, unpacked. */
export const PACKAGE_LIMITS = {
  /** Files, folders, and what else is in their tarballs. */
  files: 20_000,
  bytes: 256 * 1024 * 1024,
  /** Length of one path below `node_modules`. */
  pathBytes: 1_000,
  pathLevels: 64,
} as const;

/** Headers and padding come on top of the files. */
const MAX_TAR_BYTES = PACKAGE_LIMITS.bytes + PACKAGE_LIMITS.files * 2048;

type Entry = Extract extends AsyncIterable<infer E> ? E : never;

/** Which entry of which tarball is the file at a path; a later one takes the place of an earlier one. */
type Plan = ReadonlyMap<LockedPackage, ReadonlyMap<string, number>>;

/**
 * The files of the packages as entries of a layer. The tarballs are read twice: first to see whether all of them are within
 * `PACKAGE_LIMITS`, so that what is not costs no disk at all; then entry by entry, into the layer and to nowhere else. Throws
 * `DEPENDENCY_FAILED`.
 */
export async function* unpackPackages(
  packages: readonly LockedPackage[],
  files: ReadonlyMap<string, string>,
  signal?: AbortSignal,
): AsyncGenerator<LayerEntry> {
  const plan = await planEntries(packages, files, signal);
  for (const locked of packages) {
    const wanted = plan.get(locked);
    if (wanted === undefined) continue;
    for await (const { entry, index, path } of readTarball(locked, files, signal)) {
      if (path === null || wanted.get(path) !== index) entry.resume();
      else {
        const content = { stream: entry as AsyncIterable<Buffer>, sizeBytes: entry.header.size };
        yield { path, type: 'file', content };
      }
    }
  }
}

async function planEntries(
  packages: readonly LockedPackage[],
  files: ReadonlyMap<string, string>,
  signal: AbortSignal | undefined,
): Promise<Plan> {
  const places = new Set(packages.map(({ path }) => path));
  const taken = { paths: new Set<string>(), folders: new Set<string>() };
  const used = { entries: 0, bytes: 0, tarBytes: 0 };
  const plan = new Map<LockedPackage, Map<string, number>>();
  for (const locked of packages) {
    const wanted = new Map<string, number>();
    for await (const { entry, index, path } of readTarball(locked, files, signal, used)) {
      used.entries++;
      if (path !== null && !isOfAnother(path, locked.path, places)) {
        used.bytes += entry.header.size;
        wanted.set(path, index);
        taken.paths.add(path);
        for (const folder of foldersAbove(path)) taken.folders.add(folder);
      }
      assertWithinLimits(Math.max(used.entries, taken.paths.size + taken.folders.size), used.bytes);
      entry.resume();
    }
    plan.set(locked, wanted);
  }
  const both = [...taken.paths].find((path) => taken.folders.has(path));
  if (both !== undefined) throw fault(`${quotePath(both)} is both a file and a folder`);
  return plan;
}

interface TarballEntry {
  readonly entry: Entry;
  readonly index: number;
  /** `null` for what is no file: npm leaves links and the rest out too. */
  readonly path: string | null;
}

async function* readTarball(
  locked: LockedPackage,
  files: ReadonlyMap<string, string>,
  signal: AbortSignal | undefined,
  used = { tarBytes: 0 },
): AsyncGenerator<TarballEntry> {
  const file = files.get(locked.integrity);
  if (file === undefined) throw fault(`${locked.name}@${locked.version} was not fetched`);
  const entries = extract();
  const counted = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      used.tarBytes += chunk.length;
      done(used.tarBytes > MAX_TAR_BYTES ? tooLarge() : null, chunk);
    },
  });
  const source: Readable = createReadStream(file);
  const reading = pipeline(source, createGunzip(), counted, entries, signal ? { signal } : {});
  reading.catch((error) => entries.destroy(error));
  try {
    let index = 0;
    for await (const entry of entries) yield { entry, index: index++, path: pathOf(entry, locked) };
    await reading;
  } catch (error) {
    signal?.throwIfAborted();
    if (error instanceof LurkboxError) throw error;
    throw fault(
      `the tarball of ${locked.name}@${locked.version} cannot be read: ${(error as Error).message}`,
    );
  } finally {
    source.destroy();
  }
}

/** Below its package's place, without the first folder of the tarball, whatever that is called. */
function pathOf({ header }: Entry, { path }: LockedPackage): string | null {
  if (header.type !== 'file' && header.type !== 'contiguous-file') return null;
  const parts = header.name
    .split('/')
    .slice(1)
    .filter((part) => part !== '' && part !== '.');
  const full = `${path}/${parts.join('/')}`;
  if (parts.length === 0) return null;
  if (
    Buffer.byteLength(full) > PACKAGE_LIMITS.pathBytes ||
    full.split('/').length > PACKAGE_LIMITS.pathLevels
  )
    throw fault(
      `a path in \`${path}\` is longer than ${PACKAGE_LIMITS.pathBytes} bytes or ${PACKAGE_LIMITS.pathLevels} folders`,
    );
  if (parts.includes('..') || full.includes('\0')) throw fault(`a path in \`${path}\` leads out of it`);
  // In a layer such a name deletes another file.
  if (parts.some((part) => part.startsWith('.wh.')))
    throw fault(`\`${path}\` has a file whose name layers reserve`);
  return full;
}

/** A package that the lock has inside of another one comes from its own tarball. */
function isOfAnother(path: string, own: string, places: ReadonlySet<string>): boolean {
  return foldersAbove(path).some((folder) => folder.length > own.length && places.has(folder));
}

function foldersAbove(path: string): string[] {
  const folders: string[] = [];
  for (let end = path.lastIndexOf('/'); end > 0; end = path.lastIndexOf('/', end - 1))
    folders.push(path.slice(0, end));
  return folders;
}

function assertWithinLimits(files: number, bytes: number): void {
  if (files > PACKAGE_LIMITS.files)
    throw fault(`they are more than ${PACKAGE_LIMITS.files} files and folders`);
  if (bytes > PACKAGE_LIMITS.bytes) throw tooLarge();
}

function tooLarge(): LurkboxError {
  return fault(`they are larger than ${PACKAGE_LIMITS.bytes / 1024 / 1024} MB`);
}

function fault(reason: string): LurkboxError {
  return new LurkboxError('DEPENDENCY_FAILED', reason);
}
