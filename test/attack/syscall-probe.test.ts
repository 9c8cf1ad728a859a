import { describe, expect, test } from 'vitest';
import { buildSyscallProbe, PROBE_ANSWERS, toProbeArgs } from '../../src/attack/syscall-probe.ts';
import { SYSCALLS, type Syscall, THREAD_CALLS } from '../../src/attack/syscalls.ts';

const GETPID: Syscall = {
  name: 'getpid',
  number: 39,
  args: [],
  refusals: [1],
  child: 'none',
  entry: 'syscall',
};

interface Segment {
  readonly type: number;
  readonly flags: number;
  readonly from: number;
  readonly inFile: number;
  readonly inMemory: number;
}

const [LOAD, DYNAMIC, STACK] = [1, 2, 0x6474e551];
const [EXECUTE, WRITE, READ] = [1, 2, 4];

function segmentsOf(file: Buffer): Segment[] {
  const start = Number(file.readBigUInt64LE(32));
  return Array.from({ length: file.readUInt16LE(56) }, (_, index) => {
    const at = start + index * file.readUInt16LE(54);
    const number = (offset: number): number => Number(file.readBigUInt64LE(at + offset));
    expect(number(16)).toBe(number(8)); // in memory where it is in the file
    return {
      type: file.readUInt32LE(at),
      flags: file.readUInt32LE(at + 4),
      from: number(8),
      inFile: number(32),
      inMemory: number(40),
    };
  });
}

/** Tag → value of the dynamic section, as the loader reads it. */
function dynamicOf(file: Buffer): Map<number, number> {
  const section = segmentsOf(file).find(({ type }) => type === DYNAMIC);
  const entries = new Map<number, number>();
  for (let at = section?.from ?? 0; file.readBigUInt64LE(at) !== 0n; at += 16) {
    entries.set(Number(file.readBigUInt64LE(at)), Number(file.readBigUInt64LE(at + 8)));
  }
  return entries;
}

describe.each([
  ['one call', [GETPID]],
  ['all calls', SYSCALLS],
  ['a thread bomb', THREAD_CALLS],
])('the probe of %s', (_, calls) => {
  const file = buildSyscallProbe(calls);
  const segments = segmentsOf(file);
  const [code, data, ...others] = segments.filter(({ type }) => type === LOAD);

  test('is a shared object for 64-bit x86', () => {
    expect(file.subarray(0, 7)).toEqual(Buffer.from('\x7fELF\x02\x01\x01', 'latin1'));
    expect([file.readUInt16LE(16), file.readUInt16LE(18), file.readUInt16LE(52)]).toEqual([3, 62, 64]);
  });

  test('has code that cannot be written to, and data that cannot be executed', () => {
    expect(others).toEqual([]);
    expect([code?.flags, data?.flags]).toEqual([READ | EXECUTE, READ | WRITE]);
    expect(segments.find(({ type }) => type === STACK)?.flags).toBe(READ | WRITE);
  });

  test('keeps both on pages of their own, inside of the file', () => {
    expect((data?.from ?? 0) % 4096).toBe(0);
    expect(data?.from).toBeGreaterThanOrEqual(code?.inFile ?? 0);
    expect((data?.from ?? 0) + (data?.inFile ?? 0)).toBe(file.length);
    expect(data?.inMemory).toBe(data?.inFile);
  });

  test('begins in its code, and needs no library', () => {
    const dynamic = dynamicOf(file);
    const [INIT, HASH, STRINGS, SYMBOLS, NEEDED] = [12, 4, 5, 6, 1];
    for (const tag of [INIT, HASH, STRINGS, SYMBOLS]) {
      expect(dynamic.get(tag)).toBeGreaterThan(0);
      expect(dynamic.get(tag)).toBeLessThan(code?.inFile ?? 0);
    }
    expect(dynamic.has(NEEDED)).toBe(false);
  });

  test('holds a place for each answer, which says that the call was not made', () => {
    const answers = file.subarray(file.length - calls.length * 8);
    for (let index = 0; index < calls.length; index++) {
      expect(answers.readBigUInt64LE(index * 8)).toBe(0x7fff_ffff_ffff_ffffn);
    }
  });

  test('makes each call once, and then writes the file of answers', () => {
    const init = dynamicOf(file).get(12) ?? 0;
    const code = file.toString('hex', init, segments[0]?.inFile);
    // mov rax, <number>; syscall
    expect(code.match(/48b8[0-9a-f]{16}0f05/g)).toHaveLength(calls.length + 2);
    expect(file.toString('latin1')).toContain(`${PROBE_ANSWERS}\0`);
  });
});

describe('the code of a call', () => {
  const codeOf = (call: Partial<Syscall>): string => {
    const file = buildSyscallProbe([{ ...GETPID, ...call }]);
    const init = dynamicOf(file).get(12) ?? 0;
    return file.subarray(init, init + 100).toString('hex');
  };

  test('puts numbers into the six registers in the order of the kernel, and the number of the call into rax', () => {
    const numbers = [0x11, 0x22, 0x33, 0x44, 0x55, 0x66].map((byte) => byte);
    const zeros = '00'.repeat(7);
    expect(codeOf({ args: numbers })).toMatch(
      new RegExp(
        `^48bf11${zeros}48be22${zeros}48ba33${zeros}49ba44${zeros}49b855${zeros}49b966${zeros}48b827${zeros}0f05`,
      ),
    );
  });

  test('keeps all 64 bits of an argument', () => {
    expect(codeOf({ args: [-1, (1n << 32n) | 38n] })).toMatch(/^48bfffffffffffffffff48be2600000001000000/);
  });

  test('enters the kernel like a 32-bit program on request', () => {
    expect(codeOf({ entry: 'int80' })).toMatch(/48b82700000000000000cd80/);
  });

  test('ends a child before it does anything', () => {
    expect(codeOf({ child: 'leaves' })).toMatch(/0f054885c0750931ffb83c0000000f05488905/);
    expect(codeOf({ child: 'stays' })).toMatch(/0f054885c07509b8220000000f05ebf7488905/);
  });

  test('points to a text, which ends with a zero', () => {
    const file = buildSyscallProbe([{ ...GETPID, args: [{ text: '/tmp/some where' }] }]);
    const init = dynamicOf(file).get(12) ?? 0;
    expect(file.subarray(init, init + 3).toString('hex')).toBe('488d3d');
    const place = init + 7 + file.readInt32LE(init + 3);
    expect(file.toString('latin1', place, place + 16)).toBe('/tmp/some where\0');
  });
});

test('the requested names are those of the calls, in order', () => {
  const { file, names, answers } = toProbeArgs('/plugin/x.node', [GETPID, { ...GETPID, name: 'again' }]);
  expect({ file, names, answers }).toEqual({
    file: '/plugin/x.node',
    names: ['getpid', 'again'],
    answers: PROBE_ANSWERS,
  });
});
