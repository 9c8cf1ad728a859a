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

/** Bytes of a file that come once, when it is their turn; held in memory where they are few. */
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
  // Where the folder itself is another one, none of its files is what it was.
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
    // What differs is told of all of them, and nothing of any is used.
    else if (changed.length === 0) yield { path, content };
  }
  if (changed.length > 0) throw invalid(folder, changed.map(changedSinceLoaded));
}

/** Before the end it is not known whether it is what was hashed; whoever uses it drops what it made of it where this throws. */
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
