import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { listRegistryBackups, restoreRegistry } from '../../../src/versions/registry/restore.ts';
import { describeStore } from '../../fixtures/stores/describe-store.ts';
import { OLD_STORES, openOldWorkspace } from './old-stores.ts';
import { onStatement } from './on-statement.ts';
import { createFolder, type Folder, newVersion, openRegistry } from './sample.ts';

let folder: Folder;

beforeEach(async () => {
  folder = await createFolder();
});
afterEach(() => folder[Symbol.asyncDispose]());

const at = (name: string) => join(folder.path, name);
const restore = (backup: string | null) =>
  restoreRegistry({ stateFolder: folder.path, workspaceRoot: folder.path, backup });

/** A store with two plugins, and beside it one of before, with one. */
async function createStores(): Promise<void> {
  {
    await using registry = await openRegistry(folder.path);
    registry.register(newVersion('first'));
  }
  cpSync(at('registry.db'), at('registry.v1.db'));
  await using registry = await openRegistry(folder.path);
  registry.register(newVersion('second'));
}

const namesIn = async (path = folder.path) => {
  await using registry = await openRegistry(path);
  expect(registry.repairs).toEqual([]);
  return registry.list().map(({ name }) => name);
};

test('a database with a date beyond all calendars and names that a terminal obeys is listed', async () => {
  await createStores();
  const store = new DatabaseSync(at('registry.v1.db'));
  store.prepare('UPDATE plugins SET name = ?').run(`\u001b[8m${'x'.repeat(100_000)}`);
  store.close();
  // The file system of most temporary folders knows no such date.
  const far = mkdtempSync('/dev/shm/lurkbox-test-');
  try {
    cpSync(at('registry.v1.db'), join(far, 'registry.v1.db'));
    utimesSync(join(far, 'registry.v1.db'), 1e14, 1e14);
    const [listed] = listRegistryBackups(far);
    expect(listed).toMatchObject({ savedAt: '+275760-09-13T00:00:00.000Z', fault: null });
    expect(listed?.content?.names).toEqual([`\u001b[8m${'x'.repeat(96)}`]);
  } finally {
    rmSync(far, { recursive: true });
  }
});

test('the list of what can be restored has dates and contents, and listing changes nothing', async () => {
  await createStores();
  writeFileSync(at('registry.db.broken-2026-01-01T00-00-00.000Z'), 'x');
  writeFileSync(at('registry.elsewhere.db'), 'no name of ours');
  const before = readdirSync(folder.path).sort();
  expect(listRegistryBackups(folder.path).toSorted((one, other) => (one.file < other.file ? -1 : 1))).toEqual(
    [
      {
        file: 'registry.backup.db',
        isStore: false,
        savedAt: expect.stringMatching(/^20.*Z$/),
        fault: null,
        content: { plugins: 2, versions: 2, names: ['first', 'second'] },
      },
      expect.objectContaining({ file: 'registry.db', isStore: true, fault: null }),
      expect.objectContaining({
        file: 'registry.db.broken-2026-01-01T00-00-00.000Z',
        fault: expect.any(String),
        content: null,
      }),
      expect.objectContaining({
        file: 'registry.v1.db',
        content: { plugins: 1, versions: 1, names: ['first'] },
      }),
    ],
  );
  expect(readdirSync(folder.path).sort()).toEqual(before);
});

test('a restored backup replaces the registry, which is set aside and can be restored in turn', async () => {
  await createStores();
  const kept = restore('registry.v1.db');
  expect(kept).toEqual([
    expect.stringMatching(/^registry\.backup\.db\.replaced-/),
    expect.stringMatching(/^registry\.db\.replaced-/),
  ]);
  expect(await namesIn()).toEqual(['first']);
  restore(kept[1]!);
  expect(await namesIn()).toEqual(['first', 'second']);
  restore(null);
  expect(await namesIn()).toEqual([]);
  expect(restore('registry.backup.db')).toHaveLength(1);
  expect(await namesIn()).toEqual([]);
});

test('a restore does not make ids be given again', async () => {
  await createStores();
  await using before = await openRegistry(folder.path);
  const last = before.register(newVersion('third')).id;
  restore('registry.v1.db');
  await using registry = await openRegistry(folder.path);
  expect(registry.register(newVersion('fourth')).id).toBeGreaterThan(last);
});

test('a process that uses the registry reads the restored one at its next call', async () => {
  await createStores();
  await using registry = await openRegistry(folder.path);
  expect(registry.list()).toHaveLength(2);
  restore('registry.v1.db');
  expect(registry.list().map(({ name }) => name)).toEqual(['first']);
  registry.register(newVersion('third'));
  expect(await namesIn()).toEqual(['first', 'third']);
});

describe('a restore that ends before any one of its statements', () => {
  test('leaves one of the two registries, and never none', async () => {
    await createStores();
    await using rounds = await createFolder();
    for (let statement = 1; ; statement++) {
      const place = join(rounds.path, `round-${statement}`);
      const crashed = join(rounds.path, `crashed-${statement}`);
      cpSync(folder.path, place, { recursive: true });
      let isOver = true;
      {
        using _failing = onStatement((count) => {
          if (count !== statement) return;
          isOver = false;
          cpSync(place, crashed, { recursive: true });
          throw new Error('This statement fails.');
        });
        try {
          restoreRegistry({ stateFolder: place, workspaceRoot: place, backup: 'registry.v1.db' });
        } catch (error) {
          expect((error as Error).message).toContain('This statement fails.');
        }
      }
      expect([['first'], ['first', 'second']]).toContainEqual(await namesIn(place));
      if (isOver) break;
      expect([['first'], ['first', 'second']]).toContainEqual(await namesIn(crashed));
      rmSync(place, { recursive: true });
      rmSync(crashed, { recursive: true });
    }
  }, 120_000);
});

test.each(OLD_STORES)(
  'a damaged store of format %s is restored from its backup, with everything in it',
  async (format) => {
    using old = openOldWorkspace(format);
    cpSync(join(old.state, 'registry.db'), join(old.state, 'registry.db.broken-2026-01-01T00-00-00.000Z'));
    for (const name of ['registry.db', 'registry.backup.db']) writeFileSync(join(old.state, name), 'x');
    await expect(openRegistry(old.state)).rejects.toThrow('`lurkbox registry restore`');
    restoreRegistry({
      stateFolder: old.state,
      workspaceRoot: old.root,
      backup: 'registry.db.broken-2026-01-01T00-00-00.000Z',
    });
    await using registry = await openRegistry(old.state);
    const described = JSON.stringify(describeStore(registry).plugins).replaceAll(
      old.root,
      String(old.expected.root),
    );
    expect(JSON.parse(described)).toEqual(old.expected.plugins);
    expect(
      readFileSync(join(old.state, 'registry.db.broken-2026-01-01T00-00-00.000Z')).length,
    ).toBeGreaterThan(100);
  },
);
