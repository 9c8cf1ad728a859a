import { BYTES_PER_ANSWER, LEAVE, MachineCode, type Places, SLEEP_FOR_EVER } from './machine-code.ts';
import { SYSCALLS, type Syscall } from './syscalls.ts';

/** Where a probe writes what its calls returned. */
export const PROBE_ANSWERS = '/tmp/lurkbox-syscalls';

/** What a call returns that was never made: no system call of Linux returns this. */
const NOT_MADE = 0x7fff_ffff_ffff_ffffn;

const PAGE = 4096;
const HEADER_BYTES = 64;
const PROGRAM_HEADER_BYTES = 56;
const SYMBOL_BYTES = 24;
const DYNAMIC_BYTES = 16;

/**
 * A program without a compiler: a shared object for x86-64, built byte by byte, that makes these system calls when it is
 * loaded. `process.dlopen` maps it and runs its DT_INIT, which makes one call after the other, keeps what each returned
 * and writes that to a file; then Node finds no module in it and says so, which is as it should be.
 * @see https://refspecs.linuxfoundation.org/elf/gabi4+/ch5.dynamic.html
 */
export function buildSyscallProbe(calls: readonly Syscall[] = SYSCALLS): Buffer {
  const texts = toTexts(calls);
  // The code holds distances, so its length does not depend on where things are: once to measure, once to keep.
  const length = writeCode(calls, texts.places, { ...NOWHERE_YET }).length;
  const layout = toLayout(length, texts.bytes.length, calls.length);
  const code = writeCode(calls, texts.places, layout);
  const file = Buffer.alloc(layout.end);
  writeHeader(file, layout);
  code.copy(file, layout.code);
  texts.bytes.copy(file, layout.texts);
  writeHashTable(file, layout);
  writeDynamic(file, layout);
  calls.forEach((_, index) => {
    file.writeBigUInt64LE(NOT_MADE, layout.answers + index * BYTES_PER_ANSWER);
  });
  return file;
}

/** Where everything is, in the file and in memory alike. */
interface Layout extends Places {
  readonly symbols: number;
  readonly strings: number;
  readonly hash: number;
  /** From here on it is writable: the loader itself writes into the dynamic section. */
  readonly dynamic: number;
  readonly end: number;
}

const NOWHERE_YET: Layout = {
  code: 0,
  texts: 0,
  symbols: 0,
  strings: 0,
  hash: 0,
  dynamic: 0,
  answers: 0,
  end: 0,
};

function toLayout(codeBytes: number, textBytes: number, calls: number): Layout {
  const code = HEADER_BYTES + PROGRAM_HEADERS * PROGRAM_HEADER_BYTES;
  const texts = align(code + codeBytes, 8);
  const symbols = align(texts + textBytes, 8);
  const strings = symbols + SYMBOL_BYTES;
  const hash = align(strings + 1, 8);
  const dynamic = align(hash + HASH_TABLE.length * 4, PAGE);
  const answers = dynamic + DYNAMIC_ENTRIES * DYNAMIC_BYTES;
  const end = answers + calls * BYTES_PER_ANSWER;
  return { code, texts, symbols, strings, hash, dynamic, answers, end };
}

interface Texts {
  readonly bytes: Buffer;
  /** Text → its place in `bytes`. */
  readonly places: ReadonlyMap<string, number>;
}

function toTexts(calls: readonly Syscall[]): Texts {
  const wanted = calls
    .flatMap(({ args }) => args)
    .flatMap((arg) => (typeof arg === 'object' ? [arg.text] : []));
  const places = new Map<string, number>();
  let bytes = Buffer.alloc(0);
  for (const text of new Set([PROBE_ANSWERS, ...wanted])) {
    places.set(text, bytes.length);
    bytes = Buffer.concat([bytes, Buffer.from(`${text}\0`)]);
  }
  return { bytes, places };
}

const OPEN_AT = 257;
const AT_FDCWD = -100;
const WRITE_NEW = 0o1101; // O_WRONLY, O_CREAT and O_TRUNC
const WRITE = 1;

/** The function that the loader calls: uses no register that belongs to its caller, and no stack. */
function writeCode(calls: readonly Syscall[], texts: ReadonlyMap<string, number>, layout: Layout): Buffer {
  const code = new MachineCode(layout, texts);
  calls.forEach((call, index) => {
    code.setArguments(call.args);
    code.enterKernel(call);
    if (call.child === 'leaves') code.inChild(LEAVE);
    if (call.child === 'stays') code.inChild(SLEEP_FOR_EVER);
    code.keepAnswer(index);
  });
  code.setArguments([AT_FDCWD, { text: PROBE_ANSWERS }, WRITE_NEW, 0o600]);
  code.enterKernel({ number: OPEN_AT, entry: 'syscall' });
  code.setArguments(['descriptor', 'answers', calls.length * BYTES_PER_ANSWER]);
  code.enterKernel({ number: WRITE, entry: 'syscall' });
  code.return();
  return code.toBuffer();
}

const PROGRAM_HEADERS = 4;
const ET_DYN = 3;
const EM_X86_64 = 62;
const PT = { load: 1, dynamic: 2, gnuStack: 0x6474e551 } as const;
const PF = { execute: 1, write: 2, read: 4 } as const;

function writeHeader(file: Buffer, layout: Layout): void {
  const identity = [0x7f, 0x45, 0x4c, 0x46, 2, 1, 1]; // "\x7fELF", 64 bits, little endian, version 1
  Buffer.from(identity).copy(file);
  file.writeUInt16LE(ET_DYN, 16);
  file.writeUInt16LE(EM_X86_64, 18);
  file.writeUInt32LE(1, 20);
  file.writeBigUInt64LE(BigInt(HEADER_BYTES), 32); // the program headers follow
  file.writeUInt16LE(HEADER_BYTES, 52);
  file.writeUInt16LE(PROGRAM_HEADER_BYTES, 54);
  file.writeUInt16LE(PROGRAM_HEADERS, 56);
  file.writeUInt16LE(64, 58); // size of a section header, of which there are none
  const { dynamic, answers, end } = layout;
  const segments = [
    { type: PT.load, flags: PF.read | PF.execute, from: 0, bytes: layout.hash + HASH_TABLE.length * 4 },
    {
      type: PT.load,
      flags: PF.read | PF.write,
      from: dynamic,
      bytes: end - dynamic,
    },
    { type: PT.dynamic, flags: PF.read | PF.write, from: dynamic, bytes: answers - dynamic },
    // Without it the loader would make every stack of the process executable, or refuse to.
    { type: PT.gnuStack, flags: PF.read | PF.write, from: 0, bytes: 0 },
  ];
  segments.forEach((segment, index) => {
    writeSegment(file, HEADER_BYTES + index * PROGRAM_HEADER_BYTES, segment);
  });
}

interface Segment {
  readonly type: number;
  readonly flags: number;
  readonly from: number;
  /** Bytes, in the file and in memory. */
  readonly bytes: number;
}

function writeSegment(file: Buffer, at: number, { type, flags, from, bytes }: Segment): void {
  file.writeUInt32LE(type, at);
  file.writeUInt32LE(flags, at + 4);
  const numbers = [from, from, from, bytes, bytes, type === PT.load ? PAGE : 8];
  numbers.forEach((number, index) => {
    file.writeBigUInt64LE(BigInt(number), at + 8 + index * 8);
  });
}

/** One bucket, one symbol, which is the empty one that every table begins with. */
const HASH_TABLE = [1, 1, 0, 0];

function writeHashTable(file: Buffer, { hash }: Layout): void {
  HASH_TABLE.forEach((number, index) => {
    file.writeUInt32LE(number, hash + index * 4);
  });
}

const DT = {
  hash: 4,
  strings: 5,
  symbols: 6,
  stringBytes: 10,
  symbolBytes: 11,
  init: 12,
  flags: 0x6ffffffb,
} as const;
/** Stays where it is when Node closes it again: threads that it made may still run in it. */
const DF_1_NODELETE = 8;
/** With the one of zeros that ends them. */
const DYNAMIC_ENTRIES = Object.keys(DT).length + 1;

function writeDynamic(file: Buffer, { dynamic, hash, strings, symbols, code }: Layout): void {
  const entries = [
    [DT.hash, hash],
    [DT.strings, strings],
    [DT.symbols, symbols],
    [DT.stringBytes, 1],
    [DT.symbolBytes, SYMBOL_BYTES],
    [DT.init, code],
    [DT.flags, DF_1_NODELETE],
  ];
  entries.flat().forEach((number, index) => {
    file.writeBigUInt64LE(BigInt(number), dynamic + index * 8);
  });
}

function align(place: number, to: number): number {
  return Math.ceil(place / to) * to;
}

/** What one raw system call of a probe came to. */
export interface SyscallAnswer {
  readonly name: string;
  /** Number of the error, 0 when the call succeeded, `null` when it was never made. */
  readonly errno: number | null;
  /** What the kernel returned: the error below zero. */
  readonly returned: number | null;
}

export interface LoadSyscallProbeArgs {
  /** Path of the probe in the container, where machine code may be mapped: below `/plugin`. */
  readonly file: string;
  /** Names of the probe's calls, in their order. */
  readonly names: readonly string[];
  /** `PROBE_ANSWERS`. */
  readonly answers: string;
}

/**
 * A program for the container: loads a probe and tells what each of its calls came to. Its first progress is the last
 * thing before the calls: one of them may be the end of it.
 */
export const loadSyscallProbe = (
  { file, names, answers }: LoadSyscallProbeArgs,
  host?: { progress(fraction: number): void },
): SyscallAnswer[] => {
  const { readFileSync, rmSync } = process.getBuiltinModule('node:fs');
  rmSync(answers, { force: true });
  host?.progress(0);
  let said = 'nothing';
  try {
    process.dlopen({ exports: {} }, file);
  } catch (error) {
    said = String(error);
  }
  let bytes: Buffer;
  try {
    bytes = readFileSync(answers);
  } catch {
    throw new Error(`the probe left no answers; loading it said: ${said}`);
  }
  return names.map((name, index) => {
    const value = bytes.readBigInt64LE(index * 8);
    if (value === 0x7fffffffffffffffn) return { name, errno: null, returned: null };
    const returned = Number(value);
    return { name, errno: returned < 0 && returned > -4096 ? -returned : 0, returned };
  });
};

/** What `loadSyscallProbe` is told for a probe with these calls. */
export function toProbeArgs(file: string, calls: readonly Syscall[] = SYSCALLS): LoadSyscallProbeArgs {
  return { file, names: calls.map(({ name }) => name), answers: PROBE_ANSWERS };
}
