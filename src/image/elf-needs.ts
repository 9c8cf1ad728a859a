import { ELF_HEADER_BYTES, type ElfHeader, readElfArchitecture } from './elf.ts';

/** A file whose bytes can be had from anywhere in it; fewer than were asked for beyond its end. */
export interface RandomAccess {
  readonly sizeBytes: number;
  read(at: number, length: number): Buffer;
}

/** What the dynamic loader would do with a file. */
export interface ElfNeeds extends Pick<ElfHeader, 'architecture'> {
  /** Whether its header names another system than Linux, as those of FreeBSD do. */
  readonly isForeign: boolean;
  /** Names of libraries, in the order in which they are loaded. */
  readonly libraries: readonly string[];
  /** Where it looks for them first; `isInherited` also for those that they need in turn (`DT_RPATH`). */
  readonly searched: { readonly folders: readonly string[]; readonly isInherited: boolean };
  /** By library: the versions of its symbols that must be there, such as `GLIBC_2.34`. */
  readonly versions: ReadonlyMap<string, readonly string[]>;
  /** The versions of its own symbols. */
  readonly defines: readonly string[];
}

/** An honest file stays far below; what lies beyond these bounds is not read. */
const LIMITS = {
  programHeaders: 128,
  dynamicBytes: 64 * 1024,
  libraries: 128,
  versionBytes: 256 * 1024,
  versions: 256,
  /** Length of the name of a library or a version; all names of all files are kept until the image is built. */
  nameBytes: 256,
  textBytes: 1024,
  folders: 64,
} as const;

const PROGRAM_HEADER_BYTES = 56;
/** `ELFOSABI_NONE`, which all may use, and `ELFOSABI_GNU`. */
const LINUX_ABIS: readonly number[] = [0, 3];
const SEGMENT = { load: 1, dynamic: 2 } as const;
const TAG = {
  end: 0,
  needed: 1,
  strtab: 5,
  rpath: 15,
  runpath: 29,
  verdef: 0x6ffffffc,
  verneed: 0x6ffffffe,
} as const;

/**
 * What an ELF file needs to be loaded, by its dynamic section; `null` for what is no 64-bit little-endian ELF file or one that
 * no loader could read. Takes bytes from strangers: whatever they say, little is read and nothing outside of the file.
 */
export function readElfNeeds(file: RandomAccess): ElfNeeds | null {
  const header = file.read(0, ELF_HEADER_BYTES);
  const architecture = readElfArchitecture(header);
  if (architecture === null) return null;
  const [at, size, count] = [toNumber(header, 32), header.readUInt16LE(54), header.readUInt16LE(56)];
  if (at === null || size !== PROGRAM_HEADER_BYTES || count > LIMITS.programHeaders) return null;
  const table = file.read(at, count * size);
  if (table.length < count * size) return null;
  const segments = readSegments(table);
  const dynamic = readDynamic(file, segments);
  const strings = new Strings(file, segments, dynamic.get(TAG.strtab)?.[0]);
  const runpath = dynamic.get(TAG.runpath)?.[0];
  const rpath = dynamic.get(TAG.rpath)?.[0];
  return {
    architecture,
    isForeign: !LINUX_ABIS.includes(header[7] as number),
    libraries: (dynamic.get(TAG.needed) ?? [])
      .slice(0, LIMITS.libraries)
      .flatMap((one) => strings.at(one) ?? [])
      .filter((one, index, all) => all.indexOf(one) === index),
    searched: {
      folders: toFolders(strings.at(runpath ?? rpath, LIMITS.textBytes)),
      // With both the loader leaves `DT_RPATH` aside.
      isInherited: runpath === undefined && rpath !== undefined,
    },
    versions: readVersionNeeds(tableAt(dynamic.get(TAG.verneed)?.[0]), strings),
    defines: readVersionDefinitions(tableAt(dynamic.get(TAG.verdef)?.[0]), strings),
  };

  function tableAt(address: number | undefined): Buffer {
    const offset = address === undefined ? null : toOffset(address, segments);
    return offset === null ? Buffer.alloc(0) : file.read(offset, LIMITS.versionBytes);
  }
}

interface Segment {
  readonly type: number;
  readonly offset: number;
  readonly address: number;
  readonly sizeBytes: number;
}

function readSegments(table: Buffer): Segment[] {
  const segments: Segment[] = [];
  for (let at = 0; at + PROGRAM_HEADER_BYTES <= table.length; at += PROGRAM_HEADER_BYTES) {
    const [offset, address, sizeBytes] = [at + 8, at + 16, at + 32].map((field) => toNumber(table, field));
    if (offset == null || address == null || sizeBytes == null) continue;
    segments.push({ type: table.readUInt32LE(at), offset, address, sizeBytes });
  }
  return segments;
}

/** The values of each tag. */
function readDynamic(
  file: RandomAccess,
  segments: readonly Segment[],
): ReadonlyMap<number, readonly number[]> {
  const found = new Map<number, number[]>();
  const segment = segments.find(({ type }) => type === SEGMENT.dynamic);
  if (segment === undefined) return found;
  const bytes = file.read(segment.offset, Math.min(segment.sizeBytes, LIMITS.dynamicBytes));
  for (let at = 0; at + 16 <= bytes.length; at += 16) {
    const [tag, value] = [toNumber(bytes, at), toNumber(bytes, at + 8)];
    if (tag === TAG.end) break;
    if (tag === null || value === null) continue;
    const values = found.get(tag);
    if (values === undefined) found.set(tag, [value]);
    else values.push(value);
  }
  return found;
}

/** Addresses are those in memory; which bytes of the file are there, the segments to be loaded say. */
function toOffset(address: number, segments: readonly Segment[]): number | null {
  const segment = segments.find(
    (one) => one.type === SEGMENT.load && address >= one.address && address < one.address + one.sizeBytes,
  );
  return segment === undefined ? null : segment.offset + (address - segment.address);
}

class Strings {
  readonly #file: RandomAccess;
  readonly #start: number | null;

  constructor(file: RandomAccess, segments: readonly Segment[], address: number | undefined) {
    this.#file = file;
    this.#start = address === undefined ? null : toOffset(address, segments);
  }

  /** `null` for one that is empty, too long or not there. */
  at(offset: number | undefined, maxBytes: number = LIMITS.nameBytes): string | null {
    if (this.#start === null || offset === undefined) return null;
    const bytes = this.#file.read(this.#start + offset, maxBytes);
    const end = bytes.indexOf(0);
    return end > 0 ? bytes.toString('latin1', 0, end) : null;
  }
}

function toFolders(list: string | null): string[] {
  return (list ?? '')
    .split(':')
    .filter((folder) => folder !== '')
    .slice(0, LIMITS.folders);
}

/** A list of libraries, each with a list of versions; both lead on by distances (`Elf64_Verneed`, `Elf64_Vernaux`). */
function readVersionNeeds(table: Buffer, strings: Strings): ReadonlyMap<string, readonly string[]> {
  const found = new Map<string, string[]>();
  let left = LIMITS.versions;
  for (const at of steps(table, 0, 16, 12, LIMITS.libraries)) {
    const library = strings.at(table.readUInt32LE(at + 4));
    if (library === null) continue;
    const names: string[] = [];
    const first = at + table.readUInt32LE(at + 8);
    for (const entry of steps(table, first, 16, 12, Math.min(left, table.readUInt16LE(at + 2)))) {
      left--;
      // Bit 1: it may be missing (`VER_FLG_WEAK`).
      const name =
        (table.readUInt16LE(entry + 4) & 2) === 0 ? strings.at(table.readUInt32LE(entry + 8)) : null;
      if (name !== null) names.push(name);
    }
    found.set(library, [...(found.get(library) ?? []), ...names]);
  }
  return found;
}

/** `Elf64_Verdef`, whose first `Elf64_Verdaux` has its name. */
function readVersionDefinitions(table: Buffer, strings: Strings): string[] {
  return [...steps(table, 0, 20, 16, LIMITS.versions)].flatMap((at) => {
    const name = at + table.readUInt32LE(at + 12);
    return name + 4 <= table.length ? (strings.at(table.readUInt32LE(name)) ?? []) : [];
  });
}

/** Where the entries of a list begin, of which each says at `nextAt` how far the next one is; 0 ends it. */
function* steps(table: Buffer, first: number, size: number, nextAt: number, most: number): Generator<number> {
  let at = first;
  for (let count = 0; count < most && at + size <= table.length; count++) {
    yield at;
    const distance = table.readUInt32LE(at + nextAt);
    if (distance === 0) return;
    at += distance;
  }
}

function toNumber(bytes: Buffer, at: number): number | null {
  const value = Number(bytes.readBigUInt64LE(at));
  return Number.isSafeInteger(value) ? value : null;
}

export function inMemory(bytes: Buffer): RandomAccess {
  return {
    sizeBytes: bytes.length,
    read: (at, length) => bytes.subarray(Math.min(at, bytes.length), Math.min(at + length, bytes.length)),
  };
}
