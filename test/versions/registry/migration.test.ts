import { execFile } from 'node:child_process';
import { cpSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { promisify } from 'node:util';
import { crc32 } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { SILENT_LOGGER } from '../../../src/logger.ts';
import { permissionsBeyond } from '../../../src/policy/permission-changes.ts';
import { PluginRegistry } from '../../../src/versions/registry/registry.ts';
import { describeStore } from '../../fixtures/stores/describe-store.ts';
import { type OldWorkspace, openOldWorkspace } from './old-stores.ts';
import { onStatement } from './on-statement.ts';
import { openRegistry } from './sample.ts';

const MIGRATOR = join(import.meta.dirname, 'migrator.ts');

async function expectWhole(old: OldWorkspace, at: number): Promise<void> {
  await using registry = await openRegistry(old.state);
  const { plugins, calls, events } = describeStore(registry);
  expect({ at, plugins, calls, events, repairs: registry.repairs }).toEqual({
    at,
    plugins: old.expected.plugins,
    calls: old.expected.calls,
    events: old.expected.events,
    repairs: [],
  });
}

async function countStatements(): Promise<number> {
  using old = openOldWorkspace('v1');
  let statements = 0;
  using _counting = onStatement((count) => {
    statements = count;
  });
  await (await openRegistry(old.state)).close();
  return statements;
}

describe('a migration that ends before any one of its statements', () => {
  test('by an error loses nothing, and the next one migrates all that is on the disk', async () => {
    const statements = await countStatements();
    expect(statements).toBeGreaterThan(90);
    for (let at = 1; at <= statements; at++) {
      using old = openOldWorkspace('v1');
      using crashed = openOldWorkspace('v1');
      {
        using _failing = onStatement((count) => {
          if (count !== at) return;
          // What a process that is killed now leaves behind.
          rmSync(crashed.state, { recursive: true });
          cpSync(old.state, crashed.state, { recursive: true });
          throw new Error('This statement fails.');
        });
        await openRegistry(old.state).then(
          (registry) => registry.close(),
          () => {},
        );
      }
      await expectWhole(crashed, at);
      if (at % 5 === 0) await expectWhole(old, at);
    }
  }, 120_000);

  test('by SIGKILL loses nothing either', { timeout: 120_000 }, async () => {
    const statements = await countStatements();
    for (let at = 1; at < statements - 5; at += 11) {
      using old = openOldWorkspace('v1');
      const killed = promisify(execFile)(process.execPath, [MIGRATOR, old.state, String(at)]);
      await expect(killed).rejects.toMatchObject({ signal: 'SIGKILL' });
      await expectWhole(old, at);
    }
  });
});

test('a migration is reported once, with the place of the old store', async () => {
  using old = openOldWorkspace('v1');
  const before = readFileSync(join(old.state, 'registry.db'));
  const registry = await openRegistry(old.state);
  expect(registry.notices).toEqual([
    expect.stringMatching(
      /registry\.db" was of format 1 and is of format 2 now; .* kept as ".*\/registry\.v1\.db"\.$/,
    ),
    expect.stringMatching(
      /activity\.db" was of format 1 and is of format 2 now; .* kept as ".*\/activity\.v1\.db"\.$/,
    ),
  ]);
  await registry.close();
  await using again = await openRegistry(old.state);
  expect(again.notices).toEqual([]);
  const kept = new DatabaseSync(join(old.state, 'registry.v1.db'), { readOnly: true });
  const original = new DatabaseSync(writeCopy(old, before), { readOnly: true });
  for (const table of ['store', 'plugins', 'versions', 'statistics'])
    expect(kept.prepare(`SELECT * FROM ${table}`).all()).toEqual(
      original.prepare(`SELECT * FROM ${table}`).all(),
    );
  kept.close();
  original.close();
});

function writeCopy(old: OldWorkspace, content: Buffer): string {
  const path = join(old.root, 'original.db');
  writeFileSync(path, content);
  return path;
}

test('one copy of an earlier format is kept, however often it is migrated', async () => {
  using old = openOldWorkspace('v1');
  for (let round = 0; round < 3; round++) {
    await (await openRegistry(old.state)).close();
    for (const name of ['registry.db', 'activity.db']) {
      const copy = name.replace('.db', '.v1.db');
      for (const ending of ['', '-wal', '-shm']) rmSync(join(old.state, name + ending), { force: true });
      cpSync(join(old.state, copy), join(old.state, name));
      rmSync(join(old.state, name.replace('.db', '.backup.db')), { force: true });
    }
  }
  await expectWhole(old, 0);
  const names = readdirSync(old.state).filter((name) => name.includes('.v1.'));
  expect(names.sort()).toEqual(['activity.v1.db', 'registry.v1.db']);
});

test('the copy of a migration can be restored', async () => {
  using old = openOldWorkspace('v1');
  await (await openRegistry(old.state)).close();
  cpSync(join(old.state, 'registry.v1.db'), join(old.state, 'registry.db'));
  await expectWhole(old, 0);
});

test('a backup of an older format is migrated and replaces a broken store', async () => {
  using old = openOldWorkspace('v1');
  writeFileSync(join(old.state, 'registry.db'), 'x');
  const registry = await openRegistry(old.state);
  expect(registry.repairs).toEqual([
    expect.stringMatching(
      /was broken .* The backup of .* took its place\. What was changed after that is lost\.$/,
    ),
  ]);
  expect(describeStore(registry).plugins).toEqual(old.expected.plugins);
  await registry.close();
  await expectWhole(old, 0);
});

test('an older store that was changed by hand counts as broken', async () => {
  using old = openOldWorkspace('v1');
  const store = new DatabaseSync(join(old.state, 'registry.db'));
  store.exec('CREATE TRIGGER t AFTER INSERT ON plugins BEGIN DELETE FROM versions; END');
  store.close();
  await using registry = await openRegistry(old.state);
  expect(registry.repairs).toEqual([expect.stringContaining('its tables are not those of its format')]);
  expect(describeStore(registry).plugins).toEqual(old.expected.plugins);
});

test('a newer backup is refused before anything is moved', async () => {
  using old = openOldWorkspace('v1');
  const backup = new DatabaseSync(join(old.state, 'registry.backup.db'));
  backup.exec('PRAGMA user_version = 9; UPDATE store SET format = 9');
  backup.close();
  writeFileSync(join(old.state, 'registry.db'), 'x');
  await expect(openRegistry(old.state)).rejects.toMatchObject({
    code: 'REGISTRY_INVALID',
    message: expect.stringContaining('A newer lurkbox wrote it'),
  });
  expect(readFileSync(join(old.state, 'registry.db'), 'utf8')).toBe('x');
});

describe('a migration from format 1 to 2', () => {
  test('turns a consent into one for each installed content that it covers', async () => {
    using old = openOldWorkspace('v1');
    await using registry = await openRegistry(old.state);
    const { versions, consents, consented, uid, origin, active } = registry.get('weather')!;
    const covered = versions.filter(({ version }) => version !== '3.0.0').reverse();
    expect(consents).toEqual(
      covered.map(({ digest, manifest, installedAt }) => ({
        digest,
        permissions: manifest.permissions,
        at: installedAt,
      })),
    );
    for (const { manifest } of covered)
      expect(permissionsBeyond(consented, manifest.permissions)).toEqual([]);
    expect(uid).toBeNull();
    expect(origin).toEqual(active?.origin);
    for (const { content, digest, lock } of versions) expect([content, lock]).toEqual([digest, null]);
  });

  test('leaves a damaged row damaged and without consent', async () => {
    using old = openOldWorkspace('v1');
    for (const name of ['registry.db', 'registry.backup.db']) {
      const store = new DatabaseSync(join(old.state, name));
      store.exec(`UPDATE plugins SET consented = replace(consented, 'false', 'true') WHERE name = 'clock';
        UPDATE versions SET manifest = replace(manifest, 'false', 'true') WHERE version = '1.2.0'`);
      store.close();
    }
    await using registry = await openRegistry(old.state);
    expect(registry.get('clock')).toMatchObject({ active: null, consents: [] });
    const damaged = registry.get('weather')!.versions.find(({ version }) => version === '1.2.0');
    expect(damaged).toMatchObject({ state: 'ERROR', reason: expect.stringContaining('its row is damaged') });
    expect(registry.get('weather')!.consents.map(({ digest }) => digest)).not.toContain(damaged?.digest);
    expect(registry.repairs).toHaveLength(2);
  });

  test('stores a folder in the workspace relative to it', async () => {
    using old = openOldWorkspace('v1');
    moveSources(join(old.state, 'registry.db'), old.expected.root, old.root);
    rmSync(join(old.state, 'registry.backup.db'));
    await (await openRegistry(old.state)).close();
    const moved = mkdtempSync(join(tmpdir(), 'lurkbox-moved-'));
    try {
      cpSync(old.state, join(moved, '.lurkbox'), { recursive: true });
      await using registry = await PluginRegistry.open({
        stateFolder: join(moved, '.lurkbox'),
        workspaceRoot: moved,
        logger: SILENT_LOGGER,
      });
      expect(registry.get('clock')?.origin).toEqual({ kind: 'folder', path: join(moved, 'plugins/clock') });
      expect(registry.get('report')?.origin.path).toBe('/srv/lurkbox-fixture/elsewhere/report');
      expect(registry.toJSON().plugins.map(({ origin }) => origin.path)).toEqual([
        'plugins/clock',
        '/srv/lurkbox-fixture/elsewhere/report',
        'elsewhere/weather-1.1',
      ]);
    } finally {
      rmSync(moved, { recursive: true, force: true });
    }
  });
});

/** Has the sources of versions of format 1 lie in another workspace, with the checksums that they must have then. */
function moveSources(path: string, from: string, to: string): void {
  const store = new DatabaseSync(path);
  for (const row of store.prepare('SELECT * FROM versions').all() as Record<
    string,
    string | number | null
  >[]) {
    const source = String(row['source']).replace(from, to);
    const { seal: _, ...content } = row;
    const seal = crc32(JSON.stringify(Object.values({ ...content, source })));
    store.prepare('UPDATE versions SET source = ?, seal = ? WHERE id = ?').run(source, seal, row['id']!);
  }
  store.close();
  expect(existsSync(path)).toBe(true);
}
