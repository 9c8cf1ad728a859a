import { execFileSync } from 'node:child_process';
import { appendFileSync, renameSync, rmSync, truncateSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { verifyAuditLog } from '../../src/audit/verify.ts';
import { recordingLogger } from '../events/recording-logger.ts';
import { type AuditFolder, createAuditFolder, execution, ids } from './audit-folder.ts';

const FIRST = 'audit-000001.jsonl';
const SECOND = 'audit-000002.jsonl';
const FULL = { maxFileBytes: 4096 };
const now = () => new Date('2030-01-02T03:04:05.678Z');

const recovered = (folder: AuditFolder) => folder.records().filter(({ kind }) => kind === 'recovered');

/** A log as it is when a process ended after it had written entries 3 to 5, and before it said so in the head. */
async function createUnfinished(options = {}): Promise<AuditFolder> {
  const folder = createAuditFolder();
  await folder.append(1, 2, options);
  folder.saveHead();
  await folder.append(3, 5, options);
  folder.restoreHead();
  return folder;
}

test('whole records that the head does not know are adopted', async () => {
  using folder = await createUnfinished();
  expect(await verifyAuditLog(folder.path)).toMatchObject({ ok: true, records: 5 });
  await folder.append(6, 7);
  expect(folder.ids()).toEqual(ids(1, 7));
  expect(recovered(folder)).toMatchObject([{ what: 'adopted', file: FIRST, records: 3, seq: 6 }]);
  expect(await verifyAuditLog(folder.path)).toMatchObject({ ok: true, records: 8 });
});

test('an incomplete last line is set aside, and a record says so', async () => {
  using folder = await createUnfinished();
  const text = folder.read(FIRST);
  truncateSync(join(folder.path, FIRST), text.length - 20);
  const report = await verifyAuditLog(folder.path);
  expect(report.problems).toEqual([
    { file: FIRST, line: 5, message: expect.stringContaining('is unfinished') },
  ]);

  await folder.append(6, 7, { now });
  const fragment = `${FIRST}.fragment-20300102T030405678Z`;
  expect(folder.names()).toEqual([FIRST, fragment]);
  expect(`${folder.read(fragment)}${text.slice(-20)}`).toBe(`${text.split('\n')[4]}\n`);
  expect(folder.ids()).toEqual([...ids(1, 4), ...ids(6, 7)]);
  expect(recovered(folder)).toMatchObject([
    { what: 'adopted', records: 2 },
    { what: 'set_aside', file: FIRST, fragment, bytes: folder.read(fragment).length },
  ]);
  expect(await verifyAuditLog(folder.path)).toMatchObject({ ok: true });
});

test('a log that was cut anywhere in its last write is recovered', async () => {
  using folder = await createUnfinished();
  const whole = folder.read(FIRST);
  const known = whole.split('\n').slice(0, 2).join('\n').length + 1;
  for (let size = known; size < whole.length; size += 37) {
    folder.restoreHead();
    folder.write(FIRST, whole.slice(0, size));
    await folder.append(6, 6, { now });
    const complete = whole.slice(0, size).split('\n').length - 1;
    expect(folder.ids()).toEqual([...ids(1, complete), 'e-6']);
    expect(await verifyAuditLog(folder.path)).toMatchObject({ ok: true });
  }
  // Fragments of one moment do not overwrite each other.
  expect(folder.names().length).toBeGreaterThan(20);
});

test('a new file that the head does not know is adopted too', async () => {
  using folder = createAuditFolder();
  await folder.append(1, 2, FULL);
  folder.saveHead();
  await folder.append(3, 30, FULL);
  folder.restoreHead();
  expect(folder.names().length).toBeGreaterThan(2);
  expect(await verifyAuditLog(folder.path)).toMatchObject({ ok: true });
  await folder.append(31, 60, FULL);
  expect(folder.ids()).toEqual(ids(1, 60));
  expect(await verifyAuditLog(folder.path)).toMatchObject({ ok: true });
});

test.each([
  ['empty', ''],
  ['half a line', '{"at":"2030'],
])('a next file that is %s is moved out of the way when its number is needed', async (_, content) => {
  using folder = createAuditFolder();
  await folder.append(1, 5, FULL);
  folder.write(SECOND, content);
  await folder.append(6, 30, FULL);
  expect(folder.ids()).toEqual(ids(1, 30));
  expect(folder.names().filter((name) => name.includes('fragment'))).toHaveLength(content === '' ? 0 : 1);
  expect(await verifyAuditLog(folder.path)).toMatchObject({ ok: true });
});

test('lines that were set aside are removed with their file', async () => {
  using folder = await createUnfinished();
  appendFileSync(join(folder.path, FIRST), 'half a line');
  await folder.append(6, 6);
  expect(folder.names()).toHaveLength(2);
  await folder.append(7, 100, { ...FULL, keepFiles: 2 });
  expect(folder.names()).toHaveLength(2);
  expect(folder.names().join()).not.toContain('fragment');
});

test('records that were cut off are reported missing, however much is written after them', async () => {
  using folder = createAuditFolder();
  await folder.append(1, 5);
  const lines = folder.read(FIRST).split('\n');
  folder.write(FIRST, `${lines.slice(0, 3).join('\n')}\n${lines[3]?.slice(0, 50)}`);
  expect((await verifyAuditLog(folder.path)).problems.map(({ message }) => message)).toEqual([
    expect.stringContaining('is unfinished'),
    'lacks its tail: records 4 to 5 are missing at the end',
  ]);
  await folder.append(6, 7);
  // The file that was cut stays as it was found.
  expect(folder.read(FIRST).split('\n')).toHaveLength(4);
  expect(recovered(folder)).toMatchObject([{ what: 'cut', file: FIRST }]);
  expect((await verifyAuditLog(folder.path)).problems).toEqual([
    { file: FIRST, line: 4, message: expect.stringContaining('is unfinished') },
    { file: SECOND, line: 1, message: 'comes too early: records 4 to 5 are missing before it' },
  ]);
});

test('a log goes on after a file was removed, whose records are reported missing', async () => {
  using folder = createAuditFolder();
  await folder.append(1, 5);
  rmSync(join(folder.path, FIRST));
  await folder.append(6, 7);
  expect(folder.ids()).toEqual(ids(6, 7));
  expect((await verifyAuditLog(folder.path)).problems).toEqual([
    { file: SECOND, line: 1, message: 'comes too early: records 1 to 5 are missing before it' },
  ]);
});

test('records that do not continue the chain are not adopted', async () => {
  using folder = createAuditFolder();
  using other = createAuditFolder();
  await folder.append(1, 2);
  await other.append(1, 3);
  appendFileSync(join(folder.path, FIRST), `${other.read(FIRST).split('\n')[2]}\n`);
  await folder.append(4, 4);
  expect(folder.ids()).toEqual(['e-1', 'e-2', 'e-4']);
  expect(recovered(folder)).toMatchObject([{ what: 'set_aside' }]);
  expect(await verifyAuditLog(folder.path)).toMatchObject({ ok: true });
});

test('a log without its head goes on, and says that its end cannot be verified', async () => {
  using folder = createAuditFolder();
  await folder.append(1, 40, FULL);
  folder.removeHead();
  expect(await verifyAuditLog(folder.path)).toMatchObject({
    ok: false,
    records: expect.any(Number),
    problems: [{ file: 'head.db', line: null, message: expect.stringContaining('cannot be read') }],
  });
  await folder.append(41, 60, FULL);
  expect(folder.ids()).toEqual(ids(1, 60));
  expect(recovered(folder)).toMatchObject([{ what: 'head_missing' }]);
  expect((await verifyAuditLog(folder.path)).problems.map(({ message }) => message)).toEqual([
    'says that the head was missing: what was cut off before it cannot be known',
  ]);
});

test('a log without its head and any readable record starts again', async () => {
  using folder = createAuditFolder();
  await folder.append(1, 2);
  folder.removeHead();
  folder.write(FIRST, 'nothing of ours\n');
  await folder.append(3, 4);
  expect(folder.ids()).toEqual(ids(3, 4));
  expect(await verifyAuditLog(folder.path)).toMatchObject({ ok: false, firstSeq: 1 });
});

test('a head that is not a database is an error, and nothing is written past it', async () => {
  using folder = createAuditFolder();
  await folder.append(1, 2);
  folder.removeHead();
  folder.write('head.db', 'no database'.repeat(1000));
  const logger = recordingLogger();
  const log = await folder.open({ logger });
  log.append(execution(3));
  log.close();
  expect(log.failures).toBe(2);
  expect(logger.entries).toHaveLength(1);
  expect(folder.ids()).toEqual(ids(1, 2));
  expect((await verifyAuditLog(folder.path)).problems).toMatchObject([
    { file: 'head.db', message: 'cannot be read: file is not a database' },
  ]);
});

test('a log whose folder is replaced while it is open goes on in the new folder', async () => {
  using folder = createAuditFolder();
  const log = await folder.open();
  log.append(execution(1));
  log.flush();
  renameSync(folder.path, `${folder.path}.old`);
  log.append(execution(2));
  log.flush();
  expect(log.failures).toBe(1);
  log.close();
  expect(folder.ids()).toEqual(['e-2']);
  expect(await verifyAuditLog(folder.path)).toMatchObject({ ok: true });
});

test('only regular files are written to and read', async () => {
  using folder = createAuditFolder();
  await folder.append(1, 2);
  rmSync(join(folder.path, FIRST));

  execFileSync('mkfifo', [join(folder.path, FIRST)]);
  const log = await folder.open();
  expect(log.failures).toBe(1);
  log.close();
  expect((await verifyAuditLog(folder.path)).problems[0]).toMatchObject({
    file: FIRST,
    message: `cannot be read: "${join(folder.path, FIRST)}" is not a regular file`,
  });
});
