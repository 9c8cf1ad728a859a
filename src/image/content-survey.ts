import { readSync } from 'node:fs';
import { open, rm } from 'node:fs/promises';
import { basename, join, posix } from 'node:path';
import * as z from 'zod';
import { parseJson } from '../json/reader.ts';
import { isPackageName, isPackagePath } from '../manifest/package-lock.ts';
import { cutWhole, printable } from '../printable.ts';
import { IMAGE_PATHS } from '../spec/build.ts';
import { ELF_HEADER_BYTES, readElfArchitecture } from './elf.ts';
import { type ElfNeeds, inMemory, type RandomAccess, readElfNeeds } from './elf-needs.ts';
import type { LayerEntry, StreamedContent } from './layer.ts';

/** What is looked at of the content of one image; what lies beyond is counted and left alone. */
const LIMITS = {
  nativeFiles: 500,
  programs: 2_000,
  packages: 4_000,
  packageJsonBytes: 128 * 1024,
  values: 10_000,
  /** Of packages that others need, in all of them together. */
  names: 20_000,
} as const;

const Names = z.record(z.string(), z.unknown()).catch({});
const Script = cutText(1_000).optional().catch(undefined);
const PackageJsonSchema = z.object({
  name: cutText(214).catch(''),
  version: cutText(256).catch(''),
  gypfile: z.unknown().optional(),
  scripts: z.object({ preinstall: Script, install: Script, postinstall: Script }).catch({}),
  dependencies: Names,
  optionalDependencies: Names,
});

/** Of thousands of packages all is kept until the image is built: a copy of the beginning, that keeps the rest of nothing alive. */
function cutText(maxChars: number) {
  return z.string().transform((text) => Buffer.from(cutWhole(text, maxChars)).toString());
}

/** What a package of npm says of itself, in its author's words. */
export interface PackageFacts
  extends Pick<z.infer<typeof PackageJsonSchema>, 'name' | 'version' | 'scripts'> {
  /** Whether npm compiles it where it has a `binding.gyp` and no script. */
  readonly mayCompile: boolean;
  /** Names of packages that it needs, and of those that it does without where they cannot be had. */
  readonly requires: readonly string[];
  readonly optional: readonly string[];
}

/** What a plugin image holds, as far as it matters for native code; paths are those below the plugin's folder. */
export interface ImageContent {
  readonly paths: ReadonlySet<string>;
  /** Files that are named as a native addon or a library is; `null` for one that is no 64-bit ELF file. */
  readonly natives: ReadonlyMap<string, ElfNeeds | null>;
  /** ELF files with other names, which are programs, and their architecture. */
  readonly programs: ReadonlyMap<string, string>;
  /** By the folder of the package, such as `node_modules/a`. */
  readonly packages: ReadonlyMap<string, PackageFacts>;
  /** Links to folders, and where they lead, both below the plugin's folder. */
  readonly links: ReadonlyMap<string, string>;
  /** Native files that were not looked at. */
  readonly leftOut: number;
}

/**
 * Looks at the entries of a plugin's layer while they go by. Their bytes are strangers': little of each is read, and a native
 * file lies on disk once more while it goes by, since what it needs is told at its end.
 */
export class ContentSurvey implements ImageContent {
  readonly paths = new Set<string>();
  readonly natives = new Map<string, ElfNeeds | null>();
  readonly programs = new Map<string, string>();
  readonly packages = new Map<string, PackageFacts>();
  readonly links = new Map<string, string>();
  leftOut = 0;
  readonly #copy: string;
  #namesLeft: number = LIMITS.names;

  /** The folder is for the copy of a file. */
  constructor(folder: string) {
    this.#copy = join(folder, 'native-file');
  }

  async *watch(entries: AsyncIterable<LayerEntry>): AsyncGenerator<LayerEntry> {
    const root = `${IMAGE_PATHS.plugin.slice(1)}/`;
    for await (const entry of entries) {
      const path = entry.path.startsWith(root) ? entry.path.slice(root.length) : null;
      if (path !== null && entry.type === 'link')
        this.links.set(path, posix.join(posix.dirname(path), entry.target));
      yield path !== null && entry.type === 'file' ? this.#look(entry, path) : entry;
    }
  }

  #look(entry: LayerEntry & { type: 'file' }, path: string): LayerEntry {
    this.paths.add(path);
    const look = this.#lookFor(path);
    const { content } = entry;
    if (look === null) return entry;
    if (Buffer.isBuffer(content)) look.read(inMemory(content));
    if (!('stream' in content)) return entry;
    const stream =
      look.bytes === null ? this.#copied(content, look.read) : withHead(content, look.bytes, look.read);
    return { ...entry, content: { ...content, stream } };
  }

  #lookFor(path: string): Look | null {
    const { natives, programs, packages } = this;
    const folder = path.slice(0, -'/package.json'.length);
    if (path.endsWith('/package.json') && isPackageFolder(folder) && packages.size < LIMITS.packages)
      return {
        bytes: LIMITS.packageJsonBytes,
        read: (file) => {
          const found = readPackageJson(file, this.#namesLeft);
          if (found === null) return;
          packages.set(folder, found);
          this.#namesLeft -= found.requires.length + found.optional.length;
        },
      };
    if (isAddon(path) || isLibrary(path)) {
      if (natives.size < LIMITS.nativeFiles)
        return { bytes: null, read: (file) => natives.set(path, readElfNeeds(file)) };
      this.leftOut++;
      return null;
    }
    if (basename(path).includes('.') || programs.size >= LIMITS.programs) return null;
    return {
      bytes: ELF_HEADER_BYTES,
      read: (file) => {
        const architecture = readElfArchitecture(file.read(0, ELF_HEADER_BYTES));
        if (architecture !== null) programs.set(path, architecture);
      },
    };
  }

  async *#copied({ stream, sizeBytes }: StreamedContent, read: Look['read']): AsyncGenerator<Buffer> {
    const copy = await open(this.#copy, 'w+', 0o600);
    try {
      for await (const chunk of stream) {
        await copy.writeFile(chunk);
        yield chunk;
      }
      read(onDisk(copy.fd, sizeBytes));
    } finally {
      await copy.close();
      await rm(this.#copy, { force: true });
    }
  }
}

/** Also where pnpm has them, and only links lead there. */
function isPackageFolder(folder: string): boolean {
  return isPackagePath(folder.replace(/^node_modules\/\.pnpm\/[^/]{1,300}\//, ''));
}

interface Look {
  /** How many of the first bytes it is for; `null`: for all, from anywhere. */
  readonly bytes: number | null;
  readonly read: (file: RandomAccess) => void;
}

async function* withHead(
  { stream, sizeBytes }: StreamedContent,
  bytes: number,
  read: Look['read'],
): AsyncGenerator<Buffer> {
  const head: Buffer[] = [];
  let missing = Math.min(bytes, sizeBytes);
  for await (const chunk of stream) {
    if (missing > 0) head.push(Buffer.from(chunk.subarray(0, missing)));
    missing -= chunk.length;
    yield chunk;
  }
  read({ ...inMemory(Buffer.concat(head)), sizeBytes });
}

function onDisk(fd: number, sizeBytes: number): RandomAccess {
  return {
    sizeBytes,
    read: (at, length) => {
      if (at >= sizeBytes) return Buffer.alloc(0);
      const bytes = Buffer.alloc(Math.min(length, sizeBytes - at));
      return bytes.subarray(0, readSync(fd, bytes, 0, bytes.length, at));
    },
  };
}

function readPackageJson(file: RandomAccess, maxNames: number): PackageFacts | null {
  if (file.sizeBytes > LIMITS.packageJsonBytes) return null;
  const text = file
    .read(0, file.sizeBytes)
    .toString()
    .replace(/^\uFEFF/, '');
  const reading = parseJson(text, { maxDepth: 32, maxValues: LIMITS.values, allowsProto: true });
  const { data } = PackageJsonSchema.safeParse(reading.ok ? reading.value : null);
  if (data === undefined) return null;
  const { name, version, scripts, gypfile, dependencies, optionalDependencies } = data;
  // npm writes what is optional into both lists.
  const requires = Object.keys(dependencies).filter((one) => !Object.hasOwn(optionalDependencies, one));
  return {
    name,
    version,
    scripts,
    mayCompile: gypfile !== false,
    requires: requires.filter(isPackageName).slice(0, maxNames / 2),
    optional: Object.keys(optionalDependencies)
      .filter(isPackageName)
      .slice(0, maxNames / 2),
  };
}

/** What Node loads by `require`. */
export function isAddon(path: string): boolean {
  return path.endsWith('.node');
}

function isLibrary(path: string): boolean {
  return /\.so(?:\.[\w.-]{1,60})?$/.test(basename(path));
}

/** Name and version as the package says them, or where it lies. */
export function subjectOf(folder: string, { packages }: ImageContent): string {
  if (folder === '') return 'The plugin';
  const { name, version } = packages.get(folder) ?? { name: '', version: '' };
  const own = folder.slice(folder.lastIndexOf('node_modules/') + 'node_modules/'.length);
  return `\`${printable(name || own)}${version && `@${printable(version)}`}\``;
}
