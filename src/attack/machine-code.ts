import type { Argument, Syscall } from './syscalls.ts';

/** Where the code finds what it works with, and where it is itself. */
export interface Places {
  readonly code: number;
  readonly texts: number;
  readonly answers: number;
}

export const BYTES_PER_ANSWER = 8;

/** xor edi, edi; mov eax, 60 (exit); syscall */
export const LEAVE = [0x31, 0xff, 0xb8, 60, 0, 0, 0, 0x0f, 0x05];
/** mov eax, 34 (pause); syscall; jmp to the mov */
export const SLEEP_FOR_EVER = [0xb8, 34, 0, 0, 0, 0x0f, 0x05, 0xeb, 0xf7];

/** A register as the instructions name it: to load a number into it, and to load an address relative to the next one. */
interface Register {
  readonly loadNumber: readonly number[];
  readonly loadAddress: readonly number[];
}

/** In the order in which the kernel takes arguments: rdi, rsi, rdx, r10, r8, r9. */
const ARGUMENT_REGISTERS: readonly Register[] = [
  { loadNumber: [0x48, 0xbf], loadAddress: [0x48, 0x8d, 0x3d] },
  { loadNumber: [0x48, 0xbe], loadAddress: [0x48, 0x8d, 0x35] },
  { loadNumber: [0x48, 0xba], loadAddress: [0x48, 0x8d, 0x15] },
  { loadNumber: [0x49, 0xba], loadAddress: [0x4c, 0x8d, 0x15] },
  { loadNumber: [0x49, 0xb8], loadAddress: [0x4c, 0x8d, 0x05] },
  { loadNumber: [0x49, 0xb9], loadAddress: [0x4c, 0x8d, 0x0d] },
];

/** Machine code, an instruction at a time. */
export class MachineCode {
  readonly #bytes: number[] = [];
  readonly #places: Places;
  readonly #texts: ReadonlyMap<string, number>;

  constructor(places: Places, texts: ReadonlyMap<string, number>) {
    this.#places = places;
    this.#texts = texts;
  }

  setArguments(args: readonly (Argument | 'descriptor')[]): void {
    for (const [index, register] of ARGUMENT_REGISTERS.entries()) {
      const arg = args[index] ?? 0;
      if (arg === 'descriptor')
        this.#add(0x48, 0x89, 0xc7); // mov rdi, rax
      else if (typeof arg === 'number' || typeof arg === 'bigint')
        this.#add(...register.loadNumber, ...toBytes(arg, 8));
      else this.#addRelative(register.loadAddress, this.#placeOf(arg));
    }
  }

  enterKernel({ number, entry }: Pick<Syscall, 'number' | 'entry'>): void {
    this.#add(0x48, 0xb8, ...toBytes(number, 8)); // mov rax, number
    this.#add(...(entry === 'int80' ? [0xcd, 0x80] : [0x0f, 0x05]));
  }

  /** Where a call made something that runs here too: it may share memory and stack with its maker, and touches neither. */
  inChild(instructions: readonly number[]): void {
    this.#add(0x48, 0x85, 0xc0, 0x75, instructions.length, ...instructions); // test rax, rax; jnz past them
  }

  keepAnswer(index: number): void {
    this.#addRelative([0x48, 0x89, 0x05], this.#places.answers + index * BYTES_PER_ANSWER); // mov [rip + …], rax
  }

  return(): void {
    this.#add(0xc3);
  }

  toBuffer(): Buffer {
    return Buffer.from(this.#bytes);
  }

  #placeOf(arg: { readonly text: string } | 'answers'): number {
    if (arg === 'answers') return this.#places.answers;
    return this.#places.texts + (this.#texts.get(arg.text) ?? 0);
  }

  /** The four bytes after `opcode` are the distance from the instruction that follows. */
  #addRelative(opcode: readonly number[], place: number): void {
    const next = this.#places.code + this.#bytes.length + opcode.length + 4;
    this.#add(...opcode, ...toBytes(place - next, 4));
  }

  #add(...bytes: number[]): void {
    this.#bytes.push(...bytes);
  }
}

function toBytes(value: number | bigint, count: number): number[] {
  const bytes = Buffer.alloc(8);
  bytes.writeBigInt64LE(BigInt.asIntN(64, BigInt(value)));
  return [...bytes.subarray(0, count)];
}
