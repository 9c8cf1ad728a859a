import { createHash } from 'node:crypto';
import { fstatSync } from 'node:fs';
import { readChunks } from '../storage/files.ts';
import { FileChangedError } from './changed.ts';
import { namedPackages } from './vendored.ts';

/** One file of a plugin as it was when the plugin was loaded. */
export interface PluginFile {
  /** Relative to the plugin folder, with `/`; no link leads to it and its mode does not count. */
  readonly path: string;
  readonly sizeBytes: number;
  /** Hex, 64 digits. */
  readonly sha256: string;
  /** Where its bytes are read, for a link to a file, which is packed as that file. */
  readonly from?: string;
}

/** A link to a folder of the plugin, in the packages that it brings along. */
export interface PluginLink {
  readonly path: string;
  /** Relative to where the link is; no other link lies on the way. */
  readonly target: string;
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
    // Whether it grew shows in its time of change below; reading on to find out would cost as much as the file is long.
    if (read >= sizeBytes) break;
  }
  // The kernel notes every change of a file and of its names.
  if (read !== sizeBytes || fstatSync(descriptor, { bigint: true }).ctimeNs !== before.ctimeNs)
    throw new FileChangedError(path);
  return { path, sizeBytes, sha256: hash.digest('hex') };
}

/** The digest of files and links. The listing is unambiguous, because no path holds a control character. */
export function contentDigestOf(
  files: readonly PluginFile[],
  links: readonly PluginLink[] = [],
): `sha256:${string}` {
  const hash = createHash('sha256').update('lurkbox plugin content, version 1\n');
  for (const { path, sizeBytes, sha256 } of files) hash.update(`${path}\0${sizeBytes}\0${sha256}\n`);
  // A file has a number there.
  for (const { path, target } of links) hash.update(`${path}\0link\0${target}\n`);
  return `sha256:${hash.digest('hex')}`;
}

/**
 * What a plugin is, with all that would run: its files, and the lock of its npm packages where it has some. While these are
 * not locked it is not known what would run, so this is the digest of no plugin that runs.
 */
export function identityOf({
  content,
  lock,
  dependencies,
}: {
  readonly content: `sha256:${string}`;
  readonly lock: string | null;
  /** `dependencies` of the manifest: names, or `vendored`. */
  readonly dependencies: readonly string[] | string;
}): `sha256:${string}` {
  if (namedPackages({ dependencies }).length === 0) return content;
  const hash = createHash('sha256');
  if (lock === null) hash.update(`lurkbox plugin whose npm packages are not locked, version 1\n${content}\n`);
  else hash.update(`lurkbox plugin with npm packages, version 1\n${content}\n${lock}`);
  return `sha256:${hash.digest('hex')}`;
}

/** Whether a digest belongs to this content. Digests from before locks were kept cover the files alone. */
export function isIdentityOf(digest: string, parts: Parameters<typeof identityOf>[0]): boolean {
  return digest === identityOf(parts) || (parts.lock === null && digest === parts.content);
}

export function sha256Of(content: Buffer): string {
  return createHash('sha256').update(content).digest('hex');
}
