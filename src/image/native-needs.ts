import { posix } from 'node:path';
import { IMAGE_PATHS } from '../spec/build.ts';
import { type ImageContent, isAddon } from './content-survey.ts';
import type { ElfNeeds } from './elf-needs.ts';
import type { Architecture } from './node-binary.ts';
import { compareVersions, type OfferedLibraries } from './offered-libraries.ts';
import { RealPaths } from './real-paths.ts';

/** What plugin images stand on. */
export interface NativePlatform {
  readonly architecture: Architecture;
  readonly libraries: OfferedLibraries;
}

/** The platform that a native file is made for, seen from the one of the image. */
export type MadeFor = 'this platform' | 'another architecture' | 'musl' | 'another system';

export interface MissingNeed {
  /** The addon, or a library that it needs. */
  readonly file: string;
  readonly library: string;
  /** A version of symbols that the image's library lacks; `null` where the library itself is missing. */
  readonly version: string | null;
  /** Where a file of that name lies, though the loader does not look there. */
  readonly elsewhere: string | null;
}

/** An honest plugin stays far below; beyond this many look-ups nothing counts as missing. */
const LIMITS = { filesOfOneAddon: 200, folders: 64, missing: 8, lookups: 100_000, pathChars: 1_024 } as const;

/** musl calls itself so on Alpine, and as compilers for it write it. */
const MUSL = /^libc\.musl-|^libc\.so$/;
/** Of the BSDs. */
const OTHER_LIBC = /^libc\.so\.(?!6$)/;

/** The native files of a plugin image, and what its loader would say to them. */
export class NativeFiles {
  readonly #content: ImageContent;
  readonly #platform: NativePlatform;
  readonly #addons: ReadonlyMap<string, readonly string[]>;
  readonly #withProgram: ReadonlySet<string>;
  readonly #byName: ReadonlyMap<string, string>;
  readonly #realPaths: RealPaths;
  readonly #missing = new Map<string, readonly MissingNeed[]>();
  #lookupsLeft: number = LIMITS.lookups;

  constructor(content: ImageContent, platform: NativePlatform) {
    this.#content = content;
    this.#platform = platform;
    this.#realPaths = new RealPaths(content.links);
    this.#addons = Map.groupBy([...content.natives.keys()].filter(isAddon), ownerOf);
    this.#byName = new Map([...content.natives.keys()].map((path) => [posix.basename(path), path]));
    const own = [...content.programs].filter(([, architecture]) => architecture === platform.architecture);
    this.#withProgram = new Set(own.map(([path]) => ownerOf(path)));
  }

  /** By the folder of the package that they belong to; '' is the plugin itself. */
  get addons(): ReadonlyMap<string, readonly string[]> {
    return this.#addons;
  }

  /** Whether a package holds something native that works here: an addon with all that it needs, or a program. */
  worksFor(folder: string): boolean {
    return this.#withProgram.has(folder) || this.hasAddon(folder);
  }

  /** Whether a package holds an addon with all that it needs here. */
  hasAddon(folder: string): boolean {
    const addons = this.#addons.get(folder) ?? [];
    return addons.some(
      (path) => this.madeFor(path) === 'this platform' && this.missingFor(path).length === 0,
    );
  }

  madeFor(addon: string): MadeFor {
    const needs = this.#content.natives.get(addon);
    if (needs == null || needs.isForeign || needs.libraries.some((library) => OTHER_LIBC.test(library)))
      return 'another system';
    if (needs.architecture !== this.#platform.architecture) return 'another architecture';
    return needs.libraries.some((library) => MUSL.test(library)) ? 'musl' : 'this platform';
  }

  /** What is missing when the loader loads an addon of this platform: it looks where the files say, and then in the image. */
  missingFor(addon: string): readonly MissingNeed[] {
    const known = this.#missing.get(addon);
    if (known !== undefined) return known;
    const missing = this.#findMissing(addon);
    this.#missing.set(addon, missing);
    return missing;
  }

  #findMissing(addon: string): MissingNeed[] {
    const missing: MissingNeed[] = [];
    // Each file, and the folders in which the ones that need it have what they need looked for.
    const loaded = new Map<string, readonly string[]>([[addon, []]]);
    for (const [file, above] of loaded) {
      const needs = this.#content.natives.get(file);
      if (needs == null) continue;
      const own = needs.searched.folders.flatMap((folder) => toFolder(folder, file) ?? []);
      const folders = [...own, ...above].slice(0, LIMITS.folders);
      for (const library of needs.libraries) {
        if (missing.length === LIMITS.missing) return missing;
        const found = this.#findIn(folders, library);
        if (found === null) missing.push(...this.#missingOf(file, library, needs));
        else if (!loaded.has(found) && loaded.size < LIMITS.filesOfOneAddon)
          loaded.set(found, needs.searched.isInherited ? folders : above);
      }
    }
    return missing;
  }

  #findIn(folders: readonly string[], library: string): string | null {
    // The loader takes that for a path.
    if (library.includes('/')) return null;
    for (const folder of folders) {
      if (this.#lookupsLeft-- <= 0) return null;
      const path = this.#realPaths.of(folder + library);
      if (this.#content.natives.get(path)?.architecture === this.#platform.architecture) return path;
    }
    return null;
  }

  #missingOf(file: string, library: string, { versions }: ElfNeeds): MissingNeed[] {
    const { libraries } = this.#platform;
    if (this.#lookupsLeft <= 0) return [];
    if (!libraries.has(library)) {
      return [{ file, library, version: null, elsewhere: this.#byName.get(library) ?? null }];
    }
    const lacking = versions.get(library)?.filter((one) => libraries.lacks(library, one)) ?? [];
    const version = lacking.sort(compareVersions).at(-1);
    return version === undefined ? [] : [{ file, library, version, elsewhere: null }];
  }
}

/** A folder that a file names, below the plugin's and with a `/` at its end; `null` for others. */
function toFolder(written: string, file: string): string | null {
  const root = IMAGE_PATHS.plugin;
  const origin = posix.dirname(posix.join(root, file));
  const path = posix.normalize(`${written.replace(/\$ORIGIN|\$\{ORIGIN\}/g, () => origin)}/`);
  // It can name its own folder a hundred times; where nothing lies nobody needs to look.
  if (path.length > LIMITS.pathChars) return null;
  return path.startsWith(`${root}/`) ? path.slice(root.length + 1) : null;
}

/** The folder of the package that a file belongs to; '' for the plugin's own. */
function ownerOf(path: string): string {
  return /^(?:.*\/)?node_modules\/(?:@[^/]+\/)?[^/]+(?=\/)/.exec(path)?.[0] ?? '';
}
