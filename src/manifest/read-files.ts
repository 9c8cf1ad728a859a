import { createHash } from 'node:crypto';
import { closeSync } from 'node:fs';
import { Descent } from '../storage/descent.ts';
import { readChunks, readFileIn } from '../storage/files.ts';
import { Folder } from '../storage/folder.ts';
import { changedSinceLoaded } from './changed.ts';
import { type PluginFile, sha256Of } from './digest.ts';
import { invalid } from './invalid.ts';
import type { LoadedPlugin } from './load.ts';
import { MAX_TOTAL_BYTES } from './walk.ts';

/** The bytes of one file, which can be read once, in the order of the files. A small file is held in memory. */
export type FileBytes = Buffer | { readonly stream: AsyncIterable<Buffer>; readonly sizeBytes: number };

/** Only files of packages that a plugin brings along are larger. */
const MAX_HELD_BYTES = MAX_TOTAL_BYTES;

/**
 * The content of each file, read again, one at a time. Throws `MANIFEST_INVALID` when a file is no longer the one that
 * was hashed, or the folder is one that a link leads to: what is packed is what was judged.
 */
export async function* readPluginFiles(
  plugin: LoadedPlugin,
): AsyncGenerator<{ path: string; content: FileBytes }> {
  const { folder, files } = plugin;
  using root = openAgain(folder);
  // Where the folder itself was replaced, every file was.
  if (root === null) throw invalid(folder, [changedSinceLoaded(files[0]?.path ?? '')]);
  using descent = new Descent(root);
  const changed: string[] = [];
  for (const { path, sizeBytes, sha256, from = path } of files) {
    if (sizeBytes > MAX_HELD_BYTES) {
      if (changed.length === 0)
        yield { path, content: { stream: streamFile(plugin, descent, path), sizeBytes } };
      continue;
    }
    const content = await readFileOf(descent, from, sizeBytes).catch(() => null);
    if (content === null || sha256Of(content) !== sha256) changed.push(path);
    // The message names every file that differs; none of them is used.
    else if (changed.length === 0) yield { path, content };
  }
  if (changed.length > 0) throw invalid(folder, changed.map(changedSinceLoaded));
}

/** Only at the end it is known whether the bytes are those that were hashed. Where this throws, the caller discards what it made of them. */
async function* streamFile(
  { folder, files }: LoadedPlugin,
  descent: Descent,
  path: string,
): AsyncGenerator<Buffer> {
  const { sizeBytes, sha256, from = path } = files.find((file) => file.path === path) as PluginFile;
  const parent = await descent.to(from);
  const descriptor = await parent.folder.openFile(parent.name);
  try {
    const hash = createHash('sha256');
    let left = sizeBytes;
    for await (const chunk of readChunks(descriptor, sizeBytes)) {
      left -= chunk.length;
      if (left < 0) break;
      hash.update(chunk);
      yield chunk;
    }
    if (left !== 0 || hash.digest('hex') !== sha256) throw invalid(folder, [changedSinceLoaded(path)]);
  } finally {
    closeSync(descriptor);
  }
}

function openAgain(folder: string): Folder | null {
  try {
    return Folder.openResolved(folder);
  } catch {
    return null;
  }
}

async function readFileOf(descent: Descent, path: string, maxBytes: number): Promise<Buffer | null> {
  const { folder, name } = await descent.to(path);
  return await readFileIn(folder, name, maxBytes);
}
