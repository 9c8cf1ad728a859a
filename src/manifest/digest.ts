import { createHash } from 'node:crypto';
import { fstatSync } from 'node:fs';
import { readChunks } from '../storage/read-file.ts';
import { FileChangedError } from './changed.ts';

/** One file of a plugin as it was when the plugin was loaded. */
export interface PluginFile {
  /** Relative to the plugin folder, with `/`; no link leads to it and its mode does not count. */
  readonly path: string;
  readonly sizeBytes: number;
  /** Hex, 64 digits. */
  readonly sha256: string;
}

/** In chunks. Throws `FileChangedError` when somebody writes to it, or gives it a second name, meanwhile. */
export async function hashFile(descriptor: number, path: string): Promise<PluginFile> {
  const before = fstatSync(descriptor, { bigint: true });
  const sizeBytes = Number(before.size);
  const hash = createHash('sha256');
  let read = 0;
  for await (const chunk of readChunks(descriptor, sizeBytes)) {
    hash.update(chunk);
    read += chunk.length;
  }
  // The kernel notes every change of a file and of its names.
  if (read !== sizeBytes || fstatSync(descriptor, { bigint: true }).ctimeNs !== before.ctimeNs)
    throw new FileChangedError(path);
  return { path, sizeBytes, sha256: hash.digest('hex') };
}

/** The identity of a plugin's content. The listing is unambiguous: no path holds a control character. */
export function digestOf(files: readonly PluginFile[]): `sha256:${string}` {
  const hash = createHash('sha256').update('lurkbox plugin content, version 1\n');
  for (const { path, sizeBytes, sha256 } of files) hash.update(`${path}\0${sizeBytes}\0${sha256}\n`);
  return `sha256:${hash.digest('hex')}`;
}

export function sha256Of(content: Buffer): string {
  return createHash('sha256').update(content).digest('hex');
}
