/** What a library or an addon says to the dynamic loader. */
export interface ElfParts {
  /** As an ELF header writes it: 62 is amd64, 183 arm64. @default that of this machine */
  readonly machine?: number;
  /** Of the system that it is for: 9 is FreeBSD. @default 0, any */
  readonly abi?: number;
  readonly needed?: readonly string[];
  readonly rpath?: string;
  readonly runpath?: string;
  /** By library: the versions of its symbols that are needed. */
  readonly versions?: Readonly<Record<string, readonly string[]>>;
  /** Versions that may be missing (`VER_FLG_WEAK`). */
  readonly weak?: readonly string[];
}

const HEADER_BYTES = 64;
const SEGMENT_BYTES = 56;
const TAG = {
  needed: 1,
  strtab: 5,
  symtab: 6,
  strsz: 10,
  syment: 11,
  rpath: 15,
  runpath: 29,
  versym: 0x6ffffff0,
  verneed: 0x6ffffffe,
  verneednum: 0x6fffffff,
} as const;

export const MACHINE = process.arch === 'arm64' ? 183 : 62;

/** A shared object without code, whose loader does all that its dynamic section asks for. */
export function elfFile(parts: ElfParts = {}): Buffer {
  const { machine = MACHINE, abi = 0, needed = [], rpath, runpath, versions = {}, weak = [] } = parts;
  const strings = new StringTable();
  const version = versionNeeds(versions, weak, strings);
  const named: [number, number][] = needed.map((name) => [TAG.needed, strings.add(name)]);
  if (rpath !== undefined) named.push([TAG.rpath, strings.add(rpath)]);
  if (runpath !== undefined) named.push([TAG.runpath, strings.add(runpath)]);
  const text = strings.bytes();
  // Addresses are places in the file: one segment has all of it.
  const stringsAt = HEADER_BYTES + 2 * SEGMENT_BYTES;
  const symbolsAt = align(stringsAt + text.length);
  const versionsAt = symbolsAt + 24;
  const dynamicAt = align(versionsAt + version.length);
  const entries: readonly (readonly [number, number])[] = [
    ...named,
    [TAG.strtab, stringsAt],
    [TAG.symtab, symbolsAt],
    [TAG.strsz, text.length],
    [TAG.syment, 24],
    ...(version.length === 0
      ? []
      : ([
          // Of the one symbol, which has none.
          [TAG.versym, symbolsAt],
          [TAG.verneed, versionsAt],
          [TAG.verneednum, Object.keys(versions).length],
        ] as const)),
    [0, 0],
  ];
  const file = Buffer.alloc(dynamicAt + entries.length * 16);
  file.set(header(machine, abi));
  file.set(segment({ type: 1, flags: 6, at: 0, bytes: file.length, align: 4096 }), HEADER_BYTES);
  const dynamic = { type: 2, flags: 6, at: dynamicAt, bytes: entries.length * 16, align: 8 };
  file.set(segment(dynamic), HEADER_BYTES + SEGMENT_BYTES);
  file.set(text, stringsAt);
  file.set(version, versionsAt);
  for (const [index, [tag, value]] of entries.entries()) {
    file.writeBigUInt64LE(BigInt(tag), dynamicAt + index * 16);
    file.writeBigUInt64LE(BigInt(value), dynamicAt + index * 16 + 8);
  }
  return file;
}

function header(machine: number, abi: number): Buffer {
  const bytes = Buffer.alloc(HEADER_BYTES);
  bytes.set([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1, abi]);
  bytes.writeUInt16LE(3, 16); // ET_DYN
  bytes.writeUInt16LE(machine, 18);
  bytes.writeUInt32LE(1, 20);
  bytes.writeBigUInt64LE(BigInt(HEADER_BYTES), 32);
  bytes.writeUInt16LE(HEADER_BYTES, 52);
  bytes.writeUInt16LE(SEGMENT_BYTES, 54);
  bytes.writeUInt16LE(2, 56);
  return bytes;
}

interface SegmentParts {
  readonly type: number;
  readonly flags: number;
  readonly at: number;
  readonly bytes: number;
  readonly align: number;
}

function segment({ type, flags, at, bytes, align: alignment }: SegmentParts): Buffer {
  const header = Buffer.alloc(SEGMENT_BYTES);
  header.writeUInt32LE(type, 0);
  header.writeUInt32LE(flags, 4);
  for (const [index, value] of [at, at, at, bytes, bytes, alignment].entries())
    header.writeBigUInt64LE(BigInt(value), 8 + index * 8);
  return header;
}

function versionNeeds(
  versions: Readonly<Record<string, readonly string[]>>,
  weak: readonly string[],
  strings: StringTable,
): Buffer {
  const libraries = Object.entries(versions);
  const blocks = libraries.map(([library, names], index) => {
    const block = Buffer.alloc(16 + 16 * names.length);
    block.writeUInt16LE(1, 0);
    block.writeUInt16LE(names.length, 2);
    block.writeUInt32LE(strings.add(library), 4);
    block.writeUInt32LE(16, 8);
    block.writeUInt32LE(index === libraries.length - 1 ? 0 : block.length, 12);
    for (const [place, name] of names.entries()) {
      const at = 16 + 16 * place;
      block.writeUInt32LE(hashOf(name), at);
      block.writeUInt16LE(weak.includes(name) ? 2 : 0, at + 4);
      block.writeUInt16LE(2 + place, at + 6);
      block.writeUInt32LE(strings.add(name), at + 8);
      block.writeUInt32LE(place === names.length - 1 ? 0 : 16, at + 12);
    }
    return block;
  });
  return Buffer.concat(blocks);
}

/** The hash of System V, by which the loader compares names. */
function hashOf(name: string): number {
  let hash = 0;
  for (const byte of Buffer.from(name)) {
    hash = (hash * 16 + byte) >>> 0;
    hash = (hash ^ ((hash & 0xf0000000) >>> 24)) & 0x0fffffff;
  }
  return hash;
}

class StringTable {
  readonly #parts: string[] = [''];
  #bytes = 1;

  add(text: string): number {
    const at = this.#bytes;
    this.#parts.push(text);
    this.#bytes += Buffer.byteLength(text) + 1;
    return at;
  }

  bytes(): Buffer {
    return Buffer.from(`${this.#parts.join('\0')}\0`);
  }
}

function align(at: number): number {
  return Math.ceil(at / 8) * 8;
}
