import semver from 'semver';
import { MAX_DOCUMENT_BYTES, parseDocument } from '../documents/parse-document.ts';
import { type Checked, check } from '../documents/problems.ts';
import { LurkboxError, type Problem } from '../errors.ts';
import { quotePath, quoteValue } from '../printable.ts';
import { readFileIn } from '../storage/files.ts';
import { Folder } from '../storage/folder.ts';
import { PathError } from '../storage/path-error.ts';
import { VERSION } from '../version.ts';
import { changedWhileRead, FileChangedError } from './changed.ts';
import { contentDigestOf, identityOf, type PluginFile, type PluginLink, sha256Of } from './digest.ts';
import { invalid } from './invalid.ts';
import { isContentPath } from './no-content.ts';
import { OWN_LOCK_LIMITS, readOwnLock } from './own-lock.ts';
import { LOCK_FILES, parseLock, toLockText } from './package-lock.ts';
import { type PluginManifest, PluginManifestSchema } from './schema.ts';
import { isVendored, namedPackages, VENDORED_LIMITS, type VendoredLimits } from './vendored.ts';
import { type Walk, type WalkOptions, walkFolder } from './walk.ts';

export type { PluginFile, PluginLink } from './digest.ts';

export const MANIFEST_FILE = 'plugin.json';

/** Generators write the largest integer of 64 bits as a limit: nothing lies between that and what it is rounded to. */
const MANIFEST_JSON = {
  rounds:
    /^(?:input|output|config)_schema\.(?:.*\.)?(?:minimum|maximum|exclusiveMinimum|exclusiveMaximum|default|examples?\[\d+\])$/,
};

/** A plugin as it was read: what it asks for, and what its code is. */
export interface LoadedPlugin {
  /** Absolute, with every link on the way to it resolved. */
  readonly folder: string;
  readonly manifest: PluginManifest;
  /** Hash over path, size and content of every file. */
  readonly content: `sha256:${string}`;
  /** The lock of its npm packages as text, of its author's lock file where it has one; `null` where it has none, or they are not locked yet. */
  readonly lock: string | null;
  /** Identity: `content` of a plugin without npm packages, else a hash over that and the lock. */
  readonly digest: `sha256:${string}`;
  /**
   * Every file except what systems and editors drop, sorted by path; those of a top-level `node_modules` only where
   * `dependencies` is "vendored".
   */
  readonly files: readonly PluginFile[];
  /** Links to folders in the packages that it brings along, sorted by path. */
  readonly links: readonly PluginLink[];
}

export interface LoadPluginOptions {
  /** `resolved`: the path holds no link, so a link on the way to the folder is refused, too. @default written by a person */
  readonly path?: 'written' | 'resolved';
  /** `all`: files that systems and editors drop count too. @default content */
  readonly names?: WalkOptions['names'];
  /** Whether a lock file of the author is obeyed; not where it is known already which packages the plugin has. @default true */
  readonly readsLock?: boolean;
  /** Of the packages that a plugin brings along. @default `VENDORED_LIMITS` */
  readonly vendored?: VendoredLimits;
}

/**
 * Reads and checks a plugin folder; nothing of it is run. Links on the way to it are followed once, and none in it.
 *
 * Throws `PLUGIN_NOT_FOUND` when there is no such folder, and `MANIFEST_INVALID` with every problem of the manifest and
 * of the folder.
 */
export async function loadPlugin(
  folder: string,
  {
    path = 'written',
    names = 'content',
    readsLock = true,
    vendored = VENDORED_LIMITS,
  }: LoadPluginOptions = {},
): Promise<LoadedPlugin> {
  using root = openFolder(folder, path);
  const document = await readManifest(root);
  const bringsPackages = document.ok && isVendored(document.value.manifest);
  const content = await readContent(root, { names, vendored: bringsPackages ? vendored : null });
  const problems = [
    ...problemsOf(document),
    ...problemsOf(content),
    ...(document.ok ? engineProblems(document.value.manifest) : []),
    ...(document.ok && content.ok ? agreementProblems(document.value, content.value.files) : []),
  ];
  if (!document.ok || !content.ok || problems.length > 0) throw invalid(folder, problems);
  const { manifest } = document.value;
  const files = {
    folder: root.path,
    manifest,
    content: contentDigestOf(content.value.files, content.value.links),
    files: content.value.files,
    links: content.value.links,
  };
  const lock = readsLock ? await readAuthorsLock(root, files) : NO_LOCK;
  if (!lock.ok) throw invalid(folder, lock.problems);
  return toLocked(files, lock.value);
}

const NO_LOCK = { ok: true, value: null } as const;

/**
 * The same for a plugin that was read without it, or locked otherwise.
 * @throws LurkboxError `MANIFEST_INVALID`
 */
export async function authorsLockOf(plugin: LoadedPlugin): Promise<string | null> {
  using root = openFolder(plugin.folder, 'resolved');
  const lock = await readAuthorsLock(root, plugin);
  if (!lock.ok) throw invalid(plugin.folder, lock.problems);
  return lock.value;
}

/** The lock from the author's own lock file, as text; `null` where the plugin has no such file or no package. */
async function readAuthorsLock(
  root: Folder,
  { manifest, files }: Pick<LoadedPlugin, 'manifest' | 'files'>,
): Promise<Checked<string | null>> {
  const dependencies = namedPackages(manifest);
  const source = LOCK_FILES.find((name) => files.some(({ path }) => path === name));
  const file = files.find(({ path }) => path === source);
  if (source === undefined || file === undefined || dependencies.length === 0) return NO_LOCK;
  const bytes = await readFileIn(root, source, OWN_LOCK_LIMITS.bytes).catch(() => Buffer.alloc(0));
  if (bytes === null) return failed(source, `is larger than ${OWN_LOCK_LIMITS.bytes / 1024 / 1024} MiB`);
  if (sha256Of(bytes) !== file.sha256) return { ok: false, problems: [changedWhileRead(source)] };
  const reading = readOwnLock(bytes.toString(), dependencies);
  if (!reading.ok)
    return { ok: false, problems: reading.faults.map((message) => ({ path: source, message })) };
  if (reading.lock === null) return NO_LOCK;
  const text = toLockText({ source, ...reading.lock });
  try {
    parseLock(text);
  } catch (error) {
    return failed(source, `cannot be kept: ${(error as Error).message}`);
  }
  return { ok: true, value: text };
}

/** The same plugin with the lock of its npm packages. */
export function toLocked(plugin: Omit<LoadedPlugin, 'digest' | 'lock'>, lock: string | null): LoadedPlugin {
  const { content, manifest } = plugin;
  return { ...plugin, lock, digest: identityOf({ content, lock, dependencies: manifest.dependencies }) };
}

/** Whether it is known what would run: it has no npm packages, or a lock of them. */
export function isLocked({ manifest, lock }: Pick<LoadedPlugin, 'manifest' | 'lock'>): boolean {
  return namedPackages(manifest).length === 0 || lock !== null;
}

function openFolder(path: string, kind: 'written' | 'resolved'): Folder {
  try {
    return kind === 'resolved' ? Folder.openResolved(path) : Folder.open(path);
  } catch (cause) {
    if (!(cause instanceof PathError)) throw cause;
    if (cause.code === 'LINK') throw invalid(path, [{ path: '', message: IS_A_LINK }]);
    throw new LurkboxError(
      'PLUGIN_NOT_FOUND',
      `There is no plugin folder ${quotePath(path)}${whyNot(cause)}.`,
      {
        cause,
      },
    );
  }
}

function whyNot({ code, message }: PathError): string {
  if (code === 'ENOENT') return '';
  return code === 'NOT_A_FOLDER' ? ': that is not a folder' : `: ${message}`;
}

const IS_A_LINK =
  'it is a symbolic link, or reached through one, and none is followed there; copy the plugin, or load it by its own path';

/** What the manifest in a folder says that it is called; `null` where nothing can be read. Nothing else of it is judged. */
export async function readPluginName(folder: string): Promise<string | null> {
  try {
    using root = Folder.openResolved(folder);
    const bytes = await readFileIn(root, MANIFEST_FILE, MAX_DOCUMENT_BYTES);
    const document = bytes === null ? null : parseDocument(bytes, MANIFEST_JSON);
    const { name } = (document?.ok ? (document.value as { name?: unknown } | null) : null) ?? {};
    return typeof name === 'string' ? name : null;
  } catch {
    return null;
  }
}

interface ManifestDocument {
  readonly manifest: PluginManifest;
  readonly sha256: string;
}

async function readManifest(root: Folder): Promise<Checked<ManifestDocument>> {
  let bytes: Buffer | null;
  try {
    // What stands in it is quoted in errors, so it may not be the file of somebody else either.
    bytes = await readFileIn(root, MANIFEST_FILE, MAX_DOCUMENT_BYTES, { singleName: true });
  } catch (error) {
    const reason = reasonOf(error);
    if (reason === 'ENOENT') return failed(MANIFEST_FILE, 'is missing: a folder is a plugin by this file');
    return failed(MANIFEST_FILE, `expected a regular file that can be read: ${reason}`);
  }
  if (bytes === null) return failed(MANIFEST_FILE, `is larger than ${MAX_DOCUMENT_BYTES / 1024} KiB`);
  const document = parseDocument(bytes, MANIFEST_JSON);
  if (!document.ok) return document;
  const checked = check(PluginManifestSchema, document.value);
  return checked.ok ? { ok: true, value: { manifest: checked.value, sha256: sha256Of(bytes) } } : checked;
}

async function readContent(root: Folder, options: WalkOptions): Promise<Checked<Walk>> {
  try {
    const walk = await walkFolder(root, options);
    return walk.problems.length > 0 ? { ok: false, problems: walk.problems } : { ok: true, value: walk };
  } catch (error) {
    if (error instanceof FileChangedError) return { ok: false, problems: [changedWhileRead(error.path)] };
    return failed('', `cannot be read: ${reasonOf(error)}`);
  }
}

function engineProblems({ engines }: PluginManifest): Problem[] {
  // A prerelease of lurkbox counts as the version that it leads to.
  if (semver.satisfies(VERSION, engines.lurkbox, { includePrerelease: true })) return [];
  const message = `expected a range that holds this version of lurkbox, ${VERSION}, got ${quoteValue(engines.lurkbox)}`;
  return [{ path: 'engines.lurkbox', message }];
}

/** The manifest that was read is the one that was hashed, and its entry point is among the files. */
function agreementProblems({ manifest, sha256 }: ManifestDocument, files: readonly PluginFile[]): Problem[] {
  const problems: Problem[] = [];
  if (files.find(({ path }) => path === MANIFEST_FILE)?.sha256 !== sha256) {
    problems.push(changedWhileRead(MANIFEST_FILE));
  }
  if (!files.some(({ path }) => path === manifest.entry_point)) {
    const message = `expected a file of the plugin folder, got ${quoteValue(manifest.entry_point)}, which is ${isContentPath(manifest.entry_point) ? 'none' : 'what systems and editors drop, and no content'}`;
    problems.push({ path: 'entry_point', message });
  }
  return problems;
}

function problemsOf(checked: Checked<unknown>): readonly Problem[] {
  return checked.ok ? [] : checked.problems;
}

function failed(path: string, message: string): Checked<never> {
  return { ok: false, problems: [{ path, message }] };
}

function reasonOf(error: unknown): string {
  if (!(error instanceof PathError)) return (error as Error).message;
  return REASONS[error.code] ?? error.reason;
}

const REASONS: Readonly<Record<string, string>> = { LINK: 'ELOOP', NOT_A_FILE: 'not a regular file' };
