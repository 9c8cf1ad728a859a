import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { lstatSync, mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { setImmediate as turn } from 'node:timers/promises';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { AuditLog, MAX_WAITING_ENTRIES } from '../../src/audit/audit-log.ts';
import type { AuditEntry } from '../../src/audit/record.ts';
import { verifyAuditLog } from '../../src/audit/verify.ts';
import { toPluginEvent } from '../../src/events/event.ts';
import { SILENT_LOGGER } from '../../src/logger.ts';
import { recordingLogger } from '../events/recording-logger.ts';
import { createAuditFolder, execution, ids } from './audit-folder.ts';

const now = () => new Date('2030-01-02T03:04:05.678Z');
const DECISION: AuditEntry = {
  kind: 'decision',
  plugin: 'weather',
  version: '1.0.0',
  digest: null,
  executionId: null,
  rule: 'permissions.network',
  allowed: false,
  path: null,
  message: 'the policy denies it',
};

test('a record is one line of canonical JSON, and ends with the hash of the rest', async () => {
  using folder = createAuditFolder();
  const log = await folder.open({ now });
  log.append({ kind: 'opened', lurkbox: '1.0.0', pid: 7, policyHash: 'c'.repeat(64) });
  log.append(DECISION);
  log.close();
  const zeros = '0'.repeat(64);
  const first = `{"at":"2030-01-02T03:04:05.678Z","kind":"opened","lurkbox":"1.0.0","pid":7,"policyHash":"${'c'.repeat(64)}","prev":"${zeros}","seq":1,"v":1}`;
  const firstHash = createHash('sha256').update(first).digest('hex');
  const second = `{"allowed":false,"at":"2030-01-02T03:04:05.678Z","digest":null,"executionId":null,"kind":"decision","message":"the policy denies it","path":null,"plugin":"weather","prev":"${firstHash}","rule":"permissions.network","seq":2,"v":1,"version":"1.0.0"}`;
  const secondHash = createHash('sha256').update(second).digest('hex');
  expect(folder.read('audit-000001.jsonl')).toBe(
    `${first.slice(0, -1)},"hash":"${firstHash}"}\n${second.slice(0, -1)},"hash":"${secondHash}"}\n`,
  );
  expect(await verifyAuditLog(folder.path)).toEqual({
    ok: true,
    records: 2,
    files: 1,
    firstSeq: 1,
    lastSeq: 2,
    lastHash: secondHash,
    problems: [],
    problemsLeftOut: 0,
  });
});

test('the hash of a line can be checked as docs/reference/audit.md says', async () => {
  using folder = createAuditFolder();
  await folder.append(1, 2);
  const page = readFileSync(new URL('../../docs/reference/audit.md', import.meta.url), 'utf8');
  const command = /```sh\n([^`]*)```/.exec(page)?.[1] ?? '';
  const output = execFileSync('sh', ['-c', command], { cwd: folder.path, encoding: 'utf8' });
  expect(output.split(' ')[0]).toBe((await verifyAuditLog(folder.path)).lastHash);
});

test('an empty log verifies without a problem', async () => {
  using folder = createAuditFolder();
  (await folder.open()).close();
  expect(await verifyAuditLog(folder.path)).toMatchObject({ ok: true, records: 0, lastHash: null });
});

test('an entry is in the file after the current turn, and at once after a flush or close', async () => {
  using folder = createAuditFolder();
  const log = await folder.open();
  log.append(execution(1));
  expect(folder.ids()).toEqual([]);
  await turn();
  expect(folder.ids()).toEqual(['e-1']);
  log.append(execution(2));
  log.flush();
  expect(folder.ids()).toEqual(['e-1', 'e-2']);
  log.append(execution(3));
  log.close();
  log.close();
  expect(folder.ids()).toEqual(['e-1', 'e-2', 'e-3']);
});

test('only the owner can read the files of the log', async () => {
  using folder = createAuditFolder();
  const log = await folder.open();
  log.append(execution(1));
  log.flush();
  const modes = ['', 'audit-000001.jsonl', 'head.db', 'head.db-wal', 'head.db-shm'].map(
    (name) => lstatSync(join(folder.path, name)).mode & 0o777,
  );
  expect(modes).toEqual([0o700, 0o600, 0o600, 0o600, 0o600]);
  log.close();
});

test('output of a plugin becomes one bounded line, with control characters escaped, that verifies', async () => {
  const hostile = fc.oneof(
    fc.string({ unit: 'binary' }),
    fc.constantFrom(
      '\n{"v":1}\n',
      '\u202e\u2028\u009b31m\u001b]0;x\u0007',
      '\ud800',
      '"}\r\n',
      '👋'.repeat(3_000),
    ),
    fc.constantFrom('\0', '"', 'é', '\u202e').map((character) => character.repeat(50_000)),
  );
  using folder = createAuditFolder();
  using log = await folder.open();
  let count = 0;
  fc.assert(
    fc.property(hostile, fc.jsonValue(), (text, value) => {
      const event = { pluginName: text, version: text, digest: text, message: text, error: text };
      log.append({
        ...DECISION,
        plugin: text,
        version: text,
        digest: text,
        path: text,
        message: text,
        rule: text,
      });
      log.append({
        kind: 'event',
        event: {
          ...toPluginEvent({ eventType: 'ERROR', ...event }, now),
          ...event,
          metadata: { [text]: value },
        },
      });
      count += 2;
    }),
    { numRuns: 300 },
  );
  log.flush();
  expect(log.failures).toBe(0);
  expect(await verifyAuditLog(folder.path)).toMatchObject({ ok: true, records: count });
  const text = folder.read('audit-000001.jsonl');
  expect(text).not.toMatch(/[\0-\x09\x0b-\x1f\x7f-\x9f\u2028-\u202e]/);
  expect(Math.max(...text.split('\n').map((line) => Buffer.byteLength(line)))).toBeLessThan(128 * 1024);
});

test('an invalid entry is refused, logged and counted, and does not break the chain', async () => {
  using folder = createAuditFolder();
  const logger = recordingLogger();
  const log = await folder.open({ logger });
  const wrong = [
    null,
    {},
    { ...DECISION, allowed: undefined },
    { ...DECISION, extra: 1 },
    { ...execution(1), executionTimeMs: Number.NaN },
    { kind: 'recovered', what: 'cut' },
    { kind: 'event', event: {} },
  ];
  for (const entry of wrong) log.append(entry as never);
  log.append(execution(2));
  log.close();
  log.append(execution(3));
  expect(log.failures).toBe(wrong.length + 1);
  expect(new Set(logger.entries.map(({ message }) => message))).toEqual(
    new Set(['an entry of the audit log was refused']),
  );
  expect(folder.ids()).toEqual(['e-2']);
  expect(await verifyAuditLog(folder.path)).toMatchObject({ ok: true, records: 1 });
});

test('a full file is followed by a new one, old files are removed, and the chain starts at the oldest one left', async () => {
  using folder = createAuditFolder();
  const log = await folder.open({ maxFileBytes: 4096, keepFiles: 3 });
  for (let number = 1; number <= 200; number++) {
    log.append(execution(number));
    if (number % 7 === 0) log.flush();
  }
  log.close();
  const names = folder.names();
  expect(names).toHaveLength(3);
  const [oldest] = folder.records();
  expect(oldest).toMatchObject({ kind: 'rotated', seq: expect.any(Number) });
  expect(oldest?.['seq']).toBeGreaterThan(100);
  expect(folder.ids().at(-1)).toBe('e-200');
  for (const name of names) expect(folder.read(name).length).toBeLessThan(4096 + 1024);
  const report = await verifyAuditLog(folder.path);
  expect(report).toMatchObject({ ok: true, files: 3, firstSeq: oldest?.['seq'] });
  expect(report.lastSeq).toBe(200 + Number(/\d+/.exec(names.at(-1) ?? '')?.[0]) - 1);
});

test('one write can span several files', async () => {
  using folder = createAuditFolder();
  await folder.append(1, 100, { maxFileBytes: 4096 });
  expect(folder.names().length).toBeGreaterThan(5);
  expect(folder.ids()).toEqual(ids(1, 100));
  expect(await verifyAuditLog(folder.path)).toMatchObject({ ok: true });
});

test('two logs of one process write one chain', async () => {
  using folder = createAuditFolder();
  const [one, two] = [await folder.open(), await folder.open()];
  for (let number = 1; number <= 100; number++) {
    (number % 2 === 0 ? one : two).append(execution(number));
    if (number % 10 === 0) await turn();
  }
  one.close();
  two.close();
  expect(folder.ids().sort()).toEqual(ids(1, 100).sort());
  expect(await verifyAuditLog(folder.path)).toMatchObject({ ok: true, records: 100 });
});

test('a folder that cannot be written to is logged once, and waiting entries are written when it can be', async () => {
  using folder = createAuditFolder();
  writeFileSync(folder.path, 'a file where the folder should be');
  const logger = recordingLogger();
  using log = await folder.open({ logger });
  expect(log.failures).toBe(1);
  log.append(execution(1));
  log.flush();
  log.append(execution(2));
  log.flush();
  expect(log.failures).toBe(3);
  expect(logger.entries.map(({ message }) => message)).toEqual([
    'the audit log cannot be written; its entries wait',
  ]);

  rmSync(folder.path);
  log.flush();
  expect(logger.entries.at(-1)?.message).toBe('the audit log is written again');
  expect(folder.ids()).toEqual(['e-1', 'e-2']);
  expect(await verifyAuditLog(folder.path)).toMatchObject({ ok: true });
});

test('entries are dropped while too many wait, and the log says how many and where', async () => {
  using folder = createAuditFolder();
  writeFileSync(folder.path, '');
  using log = await folder.open();
  for (let number = 1; number <= MAX_WAITING_ENTRIES + 5; number++) log.append(execution(number));
  rmSync(folder.path);
  log.flush();
  log.append(execution('after'));
  log.flush();
  expect(folder.ids()).toEqual([...ids(1, MAX_WAITING_ENTRIES), 'e-after']);
  expect(folder.records().at(-2)).toMatchObject({ kind: 'recovered', what: 'entries_lost', records: 5 });
  expect(await verifyAuditLog(folder.path)).toMatchObject({ ok: true });
});

test.each(['audit-000001.jsonl', 'head.db'])('%s is not followed when it is a link', async (name) => {
  using folder = createAuditFolder();
  const target = join(dirname(folder.path), 'target');
  writeFileSync(target, '');
  mkdirSync(folder.path);
  symlinkSync(target, join(folder.path, name));
  const log = await folder.open();
  log.append(execution(1));
  log.close();
  expect(log.failures).toBeGreaterThan(0);
  expect(lstatSync(target).size).toBe(0);
  expect(await verifyAuditLog(folder.path)).toMatchObject({ ok: false });
});

test('invalid options of the audit log are refused', async () => {
  const options = { folder: '/nowhere', logger: SILENT_LOGGER, maxFileBytes: 4095, keepFiles: 0 };
  await expect(AuditLog.open(options)).rejects.toMatchObject({
    code: 'OPTIONS_INVALID',
    problems: [
      { path: 'maxFileBytes', message: 'expected a whole number from 4096 on, got 4095' },
      { path: 'keepFiles', message: 'expected a whole number from 1 on, got 0' },
    ],
  });
});

test('ten thousand entries of one process take less than a second of CPU time', async () => {
  using folder = createAuditFolder();
  using log = await folder.open();
  const before = process.threadCpuUsage();
  for (let number = 1; number <= 10_000; number++) log.append(execution(number));
  log.flush();
  const { user, system } = process.threadCpuUsage(before);
  expect((user + system) / 1e6).toBeLessThan(1);
});
