import { openSync, readFileSync, readSync } from 'node:fs';
import { tryAll } from './attempt.mjs';

const MASKED = ['kcore', 'keys', 'latency_stats', 'timer_list', 'timer_stats', 'sched_debug'];
const FORBIDDEN = [
  '/proc/kmsg',
  '/proc/kpagemap',
  '/proc/kpageflags',
  '/proc/kpagecount',
  '/proc/vmallocinfo',
  '/proc/slabinfo',
  '/proc/self/stack',
  '/dev/kmsg',
  '/dev/mem',
  '/sys/firmware/acpi/tables/DSDT',
  '/sys/kernel/debug/kprobes/list',
  '/sys/kernel/tracing/trace',
];

export async function execute() {
  const read = (path) => [path, () => readFileSync(path, 'utf8')];
  const answers = await tryAll(
    Object.fromEntries([...MASKED.map((name) => `/proc/${name}`), ...FORBIDDEN].map(read)),
  );
  // What is masked can be opened and is empty.
  return {
    answers: [...new Set(Object.values(answers))].sort().join(),
    addresses: addresses(),
    frames: frames(),
  };
}

function addresses() {
  try {
    const listed = readFileSync('/proc/kallsyms', 'utf8').match(/^[0-9a-f]+/gm) ?? [];
    return listed.filter((address) => !/^0+$/.test(address)).length;
  } catch {
    return 0;
  }
}

// Without privileges an entry tells that a page is there, but never where.
function frames() {
  const pages = Buffer.alloc(8 * 64);
  const start = Number.parseInt(readFileSync('/proc/self/maps', 'utf8'), 16) / 4096;
  readSync(openSync('/proc/self/pagemap', 'r'), pages, 0, pages.length, start * 8);
  return Array.from(
    { length: 64 },
    (_, index) => pages.readBigUInt64LE(index * 8) & ((1n << 55n) - 1n),
  ).filter(Boolean).length;
}
