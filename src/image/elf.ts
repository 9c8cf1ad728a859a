/** What an ELF header says, as far as an image needs it. */
export interface ElfHeader {
  readonly architecture: 'amd64' | 'arm64' | 'other';
  /** A program with an interpreter needs a loader and libraries beside it; a static one runs alone. */
  readonly hasInterpreter: boolean;
}

const MACHINES: Readonly<Record<number, ElfHeader['architecture']>> = { 62: 'amd64', 183: 'arm64' };
export const ELF_HEADER_BYTES = 64;
const PROGRAM_HEADER_BYTES = 56;
const PT_INTERP = 3;

/** Reads the header of a 64-bit little-endian ELF file; `null` for anything else, a cut-off file included. */
export function readElf(file: Buffer): ElfHeader | null {
  const architecture = readElfArchitecture(file);
  if (architecture === null) return null;
  const at = Number(file.readBigUInt64LE(32));
  const [size, count] = [file.readUInt16LE(54), file.readUInt16LE(56)];
  if (count > 0 && (size !== PROGRAM_HEADER_BYTES || at + size * count > file.length)) return null;
  const segments = Array.from({ length: count }, (_, index) => file.readUInt32LE(at + index * size));
  return { architecture, hasInterpreter: segments.includes(PT_INTERP) };
}

/** The same of the first bytes alone. */
export function readElfArchitecture(file: Buffer): ElfHeader['architecture'] | null {
  if (file.length < ELF_HEADER_BYTES || file.readUInt32BE(0) !== 0x7f454c46) return null;
  const [bits, endianness] = [file[4], file[5]];
  if (bits !== 2 || endianness !== 1) return null;
  return MACHINES[file.readUInt16LE(18)] ?? 'other';
}
