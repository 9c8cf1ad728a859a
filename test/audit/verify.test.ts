import { rmSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { verifyAuditLog } from '../../src/audit/verify.ts';
import { type AuditFolder, createAuditFolder } from './audit-folder.ts';

/** Three files of some eight records each, as their writer left them. */
let folder: AuditFolder;
let files: Record<string, Buffer>;
let hashes: string[];

beforeAll(async () => {
  folder = createAuditFolder();
  await folder.append(1, 22, { maxFileBytes: 4096 });
  folder.saveHead();
  files = Object.fromEntries(folder.names().map((name) => [name, Buffer.from(folder.read(name))]));
  hashes = folder.records().map(({ hash }) => String(hash));
});
afterAll(() => folder[Symbol.dispose]());

/** What is found when these files are there instead; `null` for one that is gone. */
async function verifyWith(changed: Record<string, Buffer | string | null>, options = {}) {
  folder.restoreHead();
  for (const name of folder.names()) rmSync(join(folder.path, name));
  for (const [name, content] of Object.entries({ ...files, ...changed }))
    if (content !== null) folder.write(name, content);
  return verifyAuditLog(folder.path, options);
}

const A = 'audit-000001.jsonl';
const B = 'audit-000002.jsonl';
const C = 'audit-000003.jsonl';
const linesOf = (name: string) => files[name]?.toString().split('\n').slice(0, -1) ?? [];
const toText = (lines: readonly (string | undefined)[]) => lines.map((line) => `${line}\n`).join('');

function change(name: string, edit: (lines: string[]) => void): Record<string, string> {
  const lines = linesOf(name);
  edit(lines);
  return { [name]: toText(lines) };
}

test('an unchanged log verifies without a problem', async () => {
  expect(Object.keys(files)).toEqual([A, B, C]);
  expect(await verifyWith({})).toMatchObject({
    ok: true,
    files: 3,
    records: 24,
    firstSeq: 1,
    lastSeq: 24,
    lastHash: hashes.at(-1),
  });
});

test('every kind of manipulation is named in the report', async () => {
  const found = async (changed: Record<string, Buffer | string | null>) => {
    const { ok, problems } = await verifyWith(changed);
    expect(ok).toBe(problems.length === 0);
    return problems.map(({ file, line, message }) => `${file}:${line ?? ''} ${message}`);
  };
  const replaceIn = (line: string | undefined, from: string, to: string) => line?.replace(from, to) ?? '';

  expect(await found(change(A, (lines) => (lines[2] = replaceIn(lines[2], '"OK"', '"NO"'))))).toEqual([
    `${A}:3 was changed: it is not what its hash was made of`,
  ]);
  expect(await found(change(A, (lines) => (lines[2] = replaceIn(lines[2], '"seq":3', '"seq":9'))))).toEqual([
    `${A}:3 was changed: it is not what its hash was made of`,
  ]);
  expect(await found(change(A, (lines) => (lines[2] = replaceIn(lines[2], ':"OK"', ': "OK"'))))).toEqual([
    `${A}:3 was changed: it is not what its hash was made of`,
  ]);
  expect(await found(change(A, (lines) => lines.splice(2, 1)))).toEqual([
    `${A}:3 comes too early: record 3 is missing before it`,
  ]);
  expect(await found(change(A, (lines) => lines.splice(2, 3)))).toEqual([
    `${A}:3 comes too early: records 3 to 5 are missing before it`,
  ]);
  expect(await found(change(A, (lines) => lines.splice(2, 0, lines[2] ?? '')))).toEqual([
    `${A}:4 is out of order: record 3 stands after record 3`,
  ]);
  expect(await found(change(A, (lines) => lines.splice(2, 2, lines[3] ?? '', lines[2] ?? '')))).toEqual([
    `${A}:3 comes too early: record 3 is missing before it`,
    `${A}:4 is out of order: record 3 stands after record 4`,
  ]);
  expect(await found(change(A, (lines) => lines.splice(2, 0, 'hello', '{}', '')))).toEqual([
    `${A}:3 is no record: it is no JSON object`,
    `${A}:4 is no record: it has not the members of a record`,
    `${A}:5 is no record: it is no JSON object`,
  ]);
  expect(await found(change(A, (lines) => lines.splice(2, 0, 'x'.repeat(1_000_000))))).toEqual([
    `${A}:3 is no record: it is longer than any of them, over 128 KiB`,
  ]);
  expect(await found(change(A, (lines) => lines.shift()))).toEqual([
    `${A}:1 comes too early: record 1 is missing before it`,
  ]);
  expect(await found(change(A, (lines) => lines.pop()))).toEqual([
    `${B}:1 comes too early: record ${linesOf(A).length} is missing before it`,
  ]);
  expect(await found(change(C, (lines) => lines.pop()))).toEqual([
    `${C}: lacks its tail: record 24 is missing at the end`,
  ]);
  expect(await found({ [C]: '' })).toEqual([
    `${C}: lacks its tail: records ${25 - linesOf(C).length} to 24 are missing at the end`,
  ]);
  const [lastOfA, lastOfB] = [linesOf(A).length, linesOf(A).length + linesOf(B).length];
  expect(await found({ [B]: null })).toEqual([
    `${B}: is missing`,
    `${C}:1 comes too early: records ${lastOfA + 1} to ${lastOfB} are missing before it`,
  ]);
  expect(await found({ [A]: null })).toHaveLength(2);
  expect(await found({ [C]: null })).toHaveLength(2);
  expect(
    await found({ [A]: toText([...linesOf(A), linesOf(B)[0]]), [B]: toText(linesOf(B).slice(1)) }),
  ).toEqual([
    `${A}:${lastOfA + 1} stands in the wrong place: a file begins with \`rotated\`, and nothing else does`,
    `${B}:1 stands in the wrong place: a file begins with \`rotated\`, and nothing else does`,
  ]);
  expect(await found({ [C]: Buffer.concat([files[C] ?? Buffer.of(), Buffer.from('half')]) })).toEqual([
    `${C}:${linesOf(C).length + 1} is unfinished: it is no JSON object`,
  ]);
  expect(await found({ 'audit-000009.jsonl': 'foreign\n' })).toEqual([
    'audit-000009.jsonl:1 is no record: it is no JSON object',
  ]);
});

test('a change of any single byte is reported', async () => {
  using small = createAuditFolder();
  await small.append(1, 2);
  const bytes = Buffer.from(small.read(A));
  for (let place = 0; place < bytes.length; place++) {
    const changed = Buffer.from(bytes);
    changed.writeUInt8(bytes.readUInt8(place) ^ (1 << (place % 8)), place);
    small.write(A, changed);
    const { ok } = await verifyAuditLog(small.path);
    if (ok) expect.fail(`bit ${place % 8} of byte ${place} was changed and nothing noticed`);
  }
});

test('every change of bytes, lines or files is reported', async () => {
  const anyFile = fc.constantFrom(A, B, C);
  const place = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });
  const bytes = fc.uint8Array({ minLength: 0, maxLength: 8 });
  const manipulation = fc.oneof(
    fc.record({ how: fc.constant('bytes' as const), file: anyFile, from: place, count: fc.nat(8), bytes }),
    fc.record({ how: fc.constant('cut' as const), file: anyFile, from: place }),
    fc.record({
      how: fc.constant('lines' as const),
      file: anyFile,
      from: place,
      to: place,
      target: anyFile,
      keep: fc.boolean(),
    }),
    fc.record({ how: fc.constant('files' as const), file: anyFile, target: anyFile, keep: fc.boolean() }),
  );
  type Manipulation = typeof manipulation extends fc.Arbitrary<infer Value> ? Value : never;

  function apply(change: Manipulation): Record<string, Buffer | string | null> {
    const content = files[change.file] ?? Buffer.of();
    switch (change.how) {
      case 'bytes': {
        const at = Math.floor(change.from * (content.length + 1));
        const parts = [content.subarray(0, at), change.bytes, content.subarray(at + change.count)];
        return { [change.file]: Buffer.concat(parts) };
      }
      case 'cut':
        return { [change.file]: content.subarray(0, Math.floor(change.from * content.length)) };
      case 'lines': {
        const [source, target] = [linesOf(change.file), linesOf(change.target)];
        const from = Math.floor(change.from * source.length);
        const lines = change.file === change.target ? source : target;
        const [line] = change.keep ? [source[from] ?? ''] : source.splice(from, 1);
        lines.splice(Math.floor(change.to * (lines.length + 1)), 0, line ?? '');
        return { [change.file]: toText(source), [change.target]: toText(lines) };
      }
      case 'files':
        return {
          [change.target]: content,
          ...(change.keep ? {} : { [change.file]: files[change.target] ?? null }),
        };
    }
  }

  await fc.assert(
    fc.asyncProperty(manipulation, async (change) => {
      const changed = apply(change);
      const differs = Object.entries(changed).some(
        ([name, content]) => !files[name]?.equals(Buffer.from(content ?? '')),
      );
      const { ok, problems } = await verifyWith(changed);
      expect(ok).toBe(!differs);
      expect(problems.length > 0).toBe(differs);
    }),
    { numRuns: 150 },
  );
});

test('a forged chain is found with a hash that was stored elsewhere', async () => {
  expect(await verifyWith({}, { expect: hashes[10] })).toMatchObject({ ok: true });
  expect(await verifyWith({}, { expect: hashes.at(-1) })).toMatchObject({ ok: true });

  using forged = createAuditFolder();
  await forged.append(1, 30);
  expect(await verifyAuditLog(forged.path)).toMatchObject({ ok: true });
  const { ok, problems } = await verifyAuditLog(forged.path, { expect: hashes[10] ?? '' });
  expect(ok).toBe(false);
  expect(problems).toEqual([
    { file: null, line: null, message: expect.stringContaining('the expected hash is in no record') },
  ]);
});

test('the hash of the last record that was rotated out is still accepted', async () => {
  using rotated = createAuditFolder();
  await rotated.append(1, 100, { maxFileBytes: 4096, keepFiles: 2 });
  const prev = String(rotated.records()[0]?.['prev']);
  expect(await verifyAuditLog(rotated.path, { expect: prev })).toMatchObject({ ok: true });
});

test('a folder without a log is reported, and so is an empty one', async () => {
  using empty = createAuditFolder();
  expect(await verifyAuditLog(empty.path)).toMatchObject({
    ok: false,
    records: 0,
    files: 0,
    firstSeq: null,
    problems: [{ file: 'head.db' }],
  });
});

test('all problems are counted, and the first hundred are reported', async () => {
  const report = await verifyWith({ [A]: 'foreign\n'.repeat(5_000) });
  expect(report.problems).toHaveLength(100);
  expect(report.problemsLeftOut).toBe(5_000 + 1 - 100);
});

test('a file that is one huge line is not read into memory', async () => {
  const content = Buffer.alloc(64 * 1024 * 1024, 'x');
  folder.restoreHead();
  folder.write(B, content);
  const before = process.memoryUsage.rss();
  let peak = before;
  const watch = setInterval(() => {
    peak = Math.max(peak, process.memoryUsage.rss());
  }, 1);
  const { ok } = await verifyAuditLog(folder.path);
  clearInterval(watch);
  expect(ok).toBe(false);
  expect(peak - before).toBeLessThan(32 * 1024 * 1024);
});
