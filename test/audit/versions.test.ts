import { createHash } from 'node:crypto';
import { appendFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { verifyAuditLog } from '../../src/audit/verify.ts';
import { canonicalJson } from '../../src/json/canonical.ts';
import { type AuditFolder, createAuditFolder, execution } from './audit-folder.ts';

const FILE = 'audit-000001.jsonl';

let folder: AuditFolder;

beforeEach(() => {
  folder = createAuditFolder();
});
afterEach(() => folder[Symbol.dispose]());

/** Appends a record in the way of a program that knows other members and kinds. */
function appendAs(record: object): string {
  const last = folder.records().at(-1) as { seq: number; hash: string };
  const text = canonicalJson({
    at: '2031-01-01T00:00:00.000Z',
    seq: last.seq + 1,
    prev: last.hash,
    v: 1,
    ...record,
  });
  const hash = createHash('sha256').update(text).digest('hex');
  const line = `${text.slice(0, -1)},"hash":"${hash}"}\n`;
  appendFileSync(join(folder.path, FILE), line);
  const head = new DatabaseSync(join(folder.path, 'head.db'));
  head
    .prepare('UPDATE head SET seq = seq + 1, hash = ?, bytes = bytes + ?')
    .run(hash, Buffer.byteLength(line));
  head.close();
  return hash;
}

test.each<[string, object]>([
  ['a member more', { ...execution(7), costs: { cents: 3 } }],
  ['a member more in its event', { kind: 'event', event: { ...eventOf(), v: 9, place: 'here' } }],
  [
    'an event of a type that is not known',
    { kind: 'event', event: { ...eventOf(), v: 9, eventType: 'MOVED' } },
  ],
  ['a newer version, and a kind that is not known', { v: 2, kind: 'quota', plugin: 'weather', bytes: 7 }],
  ['a newer version, and another type of a member', { v: 3, ...execution(7), outcome: { code: 'OK' } }],
])('a record of a newer version of lurkbox is valid with %s', async (_, record) => {
  await folder.append(1, 3);
  const hash = appendAs(record);
  await folder.append(4, 5);
  const text = folder.read(FILE);
  expect(await verifyAuditLog(folder.path, { expect: hash })).toMatchObject({
    ok: true,
    records: 6,
    problems: [],
  });
  expect(folder.records()[3]).toMatchObject(record);
  // It is kept as it stands, and every letter of it counts.
  const line = text.split('\n')[3] as string;
  folder.write(FILE, text.replace(line, line.replace('2031', '2032')));
  expect(await verifyAuditLog(folder.path)).toMatchObject({
    ok: false,
    problems: [{ line: 4, message: expect.stringContaining('was changed') }],
  });
});

test('an event without a version, as the first version of lurkbox wrote it, is valid', async () => {
  await folder.append(1, 2);
  const { v: _, ...event } = eventOf();
  appendAs({ kind: 'event', event });
  await folder.append(3, 3);
  expect(await verifyAuditLog(folder.path)).toMatchObject({ ok: true, records: 4 });
});

test.each<[string, object]>([
  ['without a kind', { v: 2, plugin: 'weather' }],
  ['of no version', { v: 0, ...execution(7) }],
])('a line is not a valid record %s', async (_, record) => {
  await folder.append(1, 2);
  appendAs(record);
  expect(await verifyAuditLog(folder.path)).toMatchObject({
    ok: false,
    problems: expect.arrayContaining([
      expect.objectContaining({
        line: 3,
        message: expect.stringContaining('has not the members of a record'),
      }),
    ]),
  });
});

test('a log with the head of a newer version is not written to, and the error names what can read it', async () => {
  await folder.append(1, 2);
  const head = new DatabaseSync(join(folder.path, 'head.db'));
  head.exec('PRAGMA user_version = 9');
  head.close();
  const before = folder.read(FILE);
  const log = await folder.open();
  log.append(execution(3));
  log.flush();
  expect(log.failures).toBeGreaterThan(0);
  log.close();
  expect(folder.read(FILE)).toBe(before);
  expect((await verifyAuditLog(folder.path)).problems).toMatchObject([
    {
      file: 'head.db',
      message: expect.stringContaining('has format 9 of a newer lurkbox, this one knows 1'),
    },
  ]);
});

test.each([
  [
    'a view in the place of its table',
    'DROP TABLE head; CREATE VIEW head AS SELECT 1 AS id, 0 AS seq, 0 AS hash, 1 AS file, 0 AS bytes',
  ],
  ['a trigger', 'CREATE TRIGGER more AFTER INSERT ON head BEGIN DELETE FROM files; END'],
])('a head with %s is neither read nor written: it need not come to an end', async (_what, statements) => {
  await folder.append(1, 2);
  const head = new DatabaseSync(join(folder.path, 'head.db'));
  head.exec(statements);
  head.close();
  const before = folder.read(FILE);
  const log = await folder.open();
  log.append(execution(3));
  log.flush();
  expect(log.failures).toBeGreaterThan(0);
  log.close();
  expect(folder.read(FILE)).toBe(before);
  expect((await verifyAuditLog(folder.path)).problems).toMatchObject([
    { file: 'head.db', message: expect.stringContaining('other tables than lurkbox makes') },
  ]);
});

function eventOf() {
  return {
    v: 2,
    eventType: 'LOAD',
    pluginName: 'weather',
    version: '1.0.0',
    digest: null,
    timestamp: '2030-01-02T03:04:05.678Z',
    success: true,
    message: null,
    error: null,
    metadata: {},
  };
}
