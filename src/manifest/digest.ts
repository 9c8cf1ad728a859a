import { createHash } from 'node:crypto';
import { join } from 'node:path';
import pLimit from 'p-limit';
import { FileChangedError } from './changed.ts';
import { openRegularFile, readChunks } from './read-file.ts';
import type { FoundFile } from './walk.ts';

/** One file of a plugin as it was when the plugin was loaded. */
export interface PluginFile {
  /** Relative to the plugin folder, with `/`; no link leads to it and its mode does not count. */
  readonly path: string;
  readonly sizeBytes: number;
  /** Hex, 64 digits. */
  readonly sha256: string;
}

const FILES_AT_ONCE = 8;

/** Hashes every file, a few at a time and in chunks. Throws when one is no longer what the walk saw. */
export async function hashFiles(folder: string, files: readonly FoundFile[]): Promise<PluginFile[]> {
  const limit = pLimit(FILES_AT_ONCE);
  return await Promise.all(files.map((file) => limit(() => hashFile(folder, file))));
}

async function hashFile(folder: string, { path, sizeBytes }: FoundFile): Promise<PluginFile> {
  const handle = await openRegularFile(join(folder, path));
  try {
    const hash = createHash('sha256');
    let read = 0;
    for await (const chunk of readChunks(handle, sizeBytes)) {
      hash.update(chunk);
      read += chunk.length;
    }
    if (read !== sizeBytes) throw new FileChangedError(path);
    return { path, sizeBytes, sha256: hash.digest('hex') };
  } finally {
    await handle.close();
  }
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
