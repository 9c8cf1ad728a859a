import type { Stats } from 'node:fs';
import { lstat, opendir } from 'node:fs/promises';
import { join } from 'node:path';
import type { Problem } from '../errors.ts';
import { harmless, isPlainText } from '../printable.ts';

export const MAX_ENTRIES = 2000;
export const MAX_DEPTH = 32;
export const MAX_TOTAL_BYTES = 32 * 1024 * 1024;

/** Not part of a plugin: dependencies are installed from the manifest, and history is nobody's business. */
export const SKIPPED_AT_TOP: readonly string[] = ['.git', 'node_modules'];

export interface FoundFile {
  /** Relative to the plugin folder, with `/`. */
  readonly path: string;
  readonly sizeBytes: number;
}

export interface Walk {
  readonly files: readonly FoundFile[];
  readonly problems: readonly Problem[];
}

interface Totals {
  entries: number;
  bytes: number;
}

/**
 * Every file of a plugin folder, told from the names and sizes alone: nothing is opened, no link is followed.
 * Stops at the first bound that is broken, because a folder can be made without an end.
 */
export async function walkFolder(folder: string): Promise<Walk> {
  const files: FoundFile[] = [];
  const problems: Problem[] = [];
  const totals: Totals = { entries: 0, bytes: 0 };
  const folders = [''];
  for (let parent = folders.pop(); parent !== undefined; parent = folders.pop()) {
    for await (const entry of entriesOf(folder, parent)) {
      if (parent === '' && SKIPPED_AT_TOP.includes(entry.path)) continue;
      const fault = nameFault(entry) ?? kindFault(entry.stats);
      if (fault !== null) problems.push({ path: harmless(entry.path), message: fault });
      else if (entry.stats.isDirectory()) folders.push(entry.path);
      else files.push({ path: entry.path, sizeBytes: entry.stats.size });
      const broken = brokenBound(entry, totals);
      if (broken !== null) return { files: [], problems: [...problems, { path: '', message: broken }] };
    }
  }
  return { files: files.sort(byPathBytes), problems: problems.sort(byPathBytes) };
}

interface Entry {
  readonly path: string;
  readonly name: Buffer;
  readonly stats: Stats;
}

// Names are read as bytes: a name that is not UTF-8 would silently become another one.
async function* entriesOf(folder: string, parent: string): AsyncGenerator<Entry> {
  const absolute = join(folder, parent);
  for await (const { name } of await opendir(absolute, { encoding: 'buffer' as BufferEncoding })) {
    const bytes = Buffer.from(name);
    const path = parent === '' ? bytes.toString() : `${parent}/${bytes.toString()}`;
    yield { path, name: bytes, stats: await lstat(Buffer.concat([Buffer.from(`${absolute}/`), bytes])) };
  }
}

function nameFault({ name }: Entry): string | null {
  const text = name.toString();
  if (!Buffer.from(text).equals(name)) return 'the name is not valid UTF-8; rename it';
  if (!isPlainText(text)) return 'the name has a control or invisible character; rename it';
  if (text.includes('\\')) return 'the name has a backslash; rename it';
  if (text.startsWith('.wh.')) return 'the name would delete another file in an image layer; rename it';
  return null;
}

function kindFault(stats: Stats): string | null {
  if (stats.isDirectory()) return null;
  // Its content may have been written for somebody else, and whoever has the other name can change it.
  if (stats.isFile())
    return stats.nlink > 1 ? 'has another name elsewhere (a hard link); copy the file' : null;
  return stats.isSymbolicLink()
    ? 'is a symbolic link; a plugin folder may hold files and folders only'
    : 'is a pipe, socket or device; a plugin folder may hold files and folders only';
}

function brokenBound({ path, stats }: Entry, totals: Totals): string | null {
  totals.entries++;
  if (stats.isFile()) totals.bytes += stats.size;
  if (totals.entries > MAX_ENTRIES) return `holds more than ${MAX_ENTRIES} files and folders`;
  if (totals.bytes > MAX_TOTAL_BYTES) return `holds more than ${MAX_TOTAL_BYTES / 1024 / 1024} MiB of files`;
  if (path.split('/').length > MAX_DEPTH) return `is nested deeper than ${MAX_DEPTH} levels`;
  return null;
}

function byPathBytes(a: { path: string }, b: { path: string }): number {
  return Buffer.compare(Buffer.from(a.path), Buffer.from(b.path));
}
