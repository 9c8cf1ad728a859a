import {
  chmod,
  cp,
  mkdir,
  readdir,
  readFile,
  rename,
  rm,
  stat,
  symlink,
  truncate,
  unlink,
  writeFile,
} from 'node:fs/promises';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { PluginRecord } from '../../../src/versions/registry/record.ts';
import { restoreRegistry } from '../../../src/versions/registry/restore.ts';
import { onStatement } from './on-statement.ts';
import { createFolder, digestOf, type Folder, newVersion, openRegistry } from './sample.ts';

let folder: Folder;

beforeEach(async () => {
  folder = await createFolder();
});
afterEach(() => folder[Symbol.asyncDispose]());

const at = (name: string) => join(folder.path, name);
const STORE = 'registry.db';
const BACKUP = 'registry.backup.db';
const PLUGINS = 12;

/** A closed store with a few plugins of every kind, and its backup. */
async function createStore(): Promise<readonly PluginRecord[]> {
  await using registry = await openRegistry(folder.path);
  for (let index = 0; index < PLUGINS; index++) {
    const name = `plugin-${index}`;
    const { id } = registry.register(newVersion(name, '1.0.0', { tags: [`tag-${index}`] }));
    const permissions = { ...registry.get(name)!.consented, exec: index % 2 === 0 };
    registry.setConsents(name, [{ digest: digestOf(name), permissions }]);
    registry.activate(name, id);
    registry.setState(id, index % 3 === 0 ? 'disable' : 'enable');
    registry.register(newVersion(name, '2.0.0'));
  }
  return registry.list();
}

async function namesLike(start: string): Promise<string[]> {
  return (await readdir(folder.path)).filter((name) => name.startsWith(start)).sort();
}

describe('a broken registry', () => {
  const breaks: [string, () => Promise<unknown>][] = [
    ['garbage', () => writeFile(at(STORE), Buffer.alloc(20_000, 'garbage'))],
    ['one letter', () => writeFile(at(STORE), 'x')],
    ['nothing', () => truncate(at(STORE), 0)],
    [
      'a header that forbids to write',
      async () => {
        const content = await readFile(at(STORE));
        content[18] = 17;
        await writeFile(at(STORE), content);
      },
    ],
    [
      'the database of something else',
      async () => {
        await unlink(at(STORE));
        const other = new DatabaseSync(at(STORE));
        other.exec('CREATE TABLE secrets (a); INSERT INTO secrets VALUES (1)');
        other.close();
      },
    ],
    [
      'a table more',
      async () => {
        const store = new DatabaseSync(at(STORE));
        store.exec('CREATE TRIGGER t AFTER INSERT ON plugins BEGIN DELETE FROM versions; END');
        store.close();
      },
    ],
    [
      'no row of its own',
      async () => {
        const store = new DatabaseSync(at(STORE));
        store.exec('DELETE FROM store');
        store.close();
      },
    ],
  ];

  test.each(breaks)('that holds %s is moved aside, and its backup takes its place', async (_, damage) => {
    const before = await createStore();
    await damage();
    const broken = await readFile(at(STORE));
    const registry = await openRegistry(folder.path);
    expect(registry.list()).toEqual(before);
    const aside = (await namesLike('registry.db.broken-')).filter((name) => name.endsWith('Z'));
    expect(aside).toHaveLength(1);
    expect(registry.repairs).toEqual([
      expect.stringMatching(
        new RegExp(
          `registry\\.db" was broken \\(.+\\)\\. It is kept as ".*/${aside[0]}"\\. The backup of 20..-.*Z took its place\\. What was changed after that is lost\\.$`,
        ),
      ),
    ]);
    // As it was found, to the letter.
    expect(await readFile(at(aside[0]!))).toEqual(broken);
    await registry.close();
    await using again = await openRegistry(folder.path);
    expect(again.repairs).toEqual([]);
    expect(again.list()).toEqual(before);
  });

  test.each(breaks)(
    'that holds %s is refused with the way out when its backup is broken too, and both stay as they are',
    async (_, damage) => {
      await createStore();
      await damage();
      await writeFile(at(BACKUP), 'x');
      const broken = await readFile(at(STORE));
      for (let round = 0; round < 2; round++)
        await expect(openRegistry(folder.path)).rejects.toMatchObject({
          code: 'REGISTRY_INVALID',
          message: expect.stringMatching(
            /is damaged \(.+\), and it has no sound backup; nothing was changed\. To go on, run `lurkbox registry restore`/,
          ),
        });
      expect(await readFile(at(STORE))).toEqual(broken);
      expect(await readFile(at(BACKUP), 'utf8')).toBe('x');
      expect(await namesLike('registry.db.')).toEqual([]);
    },
  );

  test('that is missing is restored from its backup', async () => {
    const before = await createStore();
    await unlink(at(STORE));
    await using registry = await openRegistry(folder.path);
    expect(registry.list()).toEqual(before);
    expect(registry.repairs).toEqual([
      expect.stringMatching(/was missing\. The backup of .* took its place/),
    ]);
  });

  test('that a killed process moved aside is noticed, and not replaced by an empty one', async () => {
    await createStore();
    await rename(at(STORE), at(`${STORE}.broken-then`));
    await unlink(at(BACKUP));
    await expect(openRegistry(folder.path)).rejects.toMatchObject({
      code: 'REGISTRY_INVALID',
      message: expect.stringContaining('is missing, and it has no sound backup'),
    });
  });

  test('that never existed is created, even beside files of another one', async () => {
    await writeFile(at('activity.db.broken-2026-01-01T00-00-00.000Z'), 'x');
    await using registry = await openRegistry(folder.path);
    expect(registry.list()).toEqual([]);
    expect(registry.repairs).toEqual([expect.stringContaining('activity.db" was missing. It begins empty.')]);
  });

  test('gives no id twice, although its backup lacks the last ones', async () => {
    await createStore();
    await cp(at(BACKUP), at('old'));
    const last = await (async () => {
      await using registry = await openRegistry(folder.path);
      return registry.register(newVersion('late')).id;
    })();
    await cp(at('old'), at(BACKUP));
    await writeFile(at(STORE), 'x');
    await using registry = await openRegistry(folder.path);
    expect(registry.register(newVersion('later')).id).toBeGreaterThan(last);
  });

  test('that lost its log is older than its backup and replaced by it', async () => {
    const before = await createStore();
    const registry = await openRegistry(folder.path);
    await cp(at(STORE), at('old'));
    registry.register(newVersion('late'));
    const after = registry.list();
    await registry.close();
    await cp(at('old'), at(STORE));
    await using again = await openRegistry(folder.path);
    expect(after).toHaveLength(before.length + 1);
    expect(again.list()).toEqual(after);
    expect(again.repairs).toEqual([expect.stringContaining('it is older than its backup')]);
  });

  test('is used unchanged beside the backup of another one', async () => {
    const before = await createStore();
    await cp(at(STORE), at('ours'));
    await rm(at(STORE));
    await rm(at(BACKUP));
    {
      await using registry = await openRegistry(folder.path);
      for (let index = 0; index < 200; index++) registry.register(newVersion(`other-${index}`));
    }
    await cp(at('ours'), at(STORE));
    await using registry = await openRegistry(folder.path);
    expect(registry.list()).toEqual(before);
    expect(registry.repairs).toEqual([]);
  });

  async function breakInUse(): Promise<void> {
    await writeFile(at(STORE), Buffer.alloc((await stat(at(STORE))).size, 'x'));
    for (const ending of ['-wal', '-shm']) await rm(at(STORE + ending), { force: true });
  }

  test('that breaks while it is used takes no change, is served from memory, and is repaired when it is opened', async () => {
    await createStore();
    const registry = await openRegistry(folder.path);
    const before = registry.list();
    await breakInUse();
    for (let round = 0; round < 2; round++)
      expect(() => registry.register(newVersion('late'))).toThrow(
        expect.objectContaining({
          code: 'REGISTRY_INVALID',
          message: expect.stringMatching(
            /is damaged, and what was asked for was not done: .*`lurkbox registry restore`/,
          ),
        }),
      );
    expect(registry.list()).toEqual(before);
    expect(registry.get('plugin-0')).toEqual(before[0]);
    // What was found broken does not become the backup.
    await registry.close();
    await using again = await openRegistry(folder.path);
    expect(again.list()).toEqual(before);
    expect(again.repairs).toEqual([expect.stringContaining('took its place')]);
    again.register(newVersion('late'));
  });

  test('that cannot be read while it is used is served from memory, even after a failed change', async () => {
    const before = await createStore();
    await using registry = await openRegistry(folder.path);
    const { id } = registry.get('plugin-1')!.versions[0]!;
    {
      using _failing = onStatement((_count, sql) => {
        if (/^(UPDATE|SELECT)/.test(sql)) throw Object.assign(new Error('disk I/O error'), { errcode: 266 });
      });
      expect(registry.list()).toEqual(before);
      expect(() => registry.setState(id, 'enable')).toThrow(
        expect.objectContaining({ code: 'REGISTRY_INVALID' }),
      );
      expect(registry.get('plugin-1')).toEqual(before[1]);
      expect(registry.repairs).toEqual([
        expect.stringMatching(
          /cannot be read and written: disk I\/O error\. Until then it is used as it was read last/,
        ),
      ]);
    }
    expect(registry.setState(id, 'enable').state).toBe('ENABLED');
    expect(registry.get('plugin-1')?.versions[0]?.state).toBe('ENABLED');
  });

  test('is repaired by the next process that opens it, and its users go on with the same file', async () => {
    const before = await createStore();
    const one = await openRegistry(folder.path);
    await breakInUse();
    const two = await openRegistry(folder.path);
    two.register(newVersion('by-two'));
    one.register(newVersion('by-one'));
    expect(one.list()).toEqual(two.list());
    expect(one.list()).toHaveLength(before.length + 2);
    expect(two.repairs).toHaveLength(1);
    await one.close();
    two.register(newVersion('by-two-later'));
    await two.close();
    await using again = await openRegistry(folder.path);
    expect(again.list()).toHaveLength(before.length + 3);
    expect(again.repairs).toEqual([]);
  });

  test('that is removed while it is used is neither served from memory nor created anew', async () => {
    const before = await createStore();
    const registry = await openRegistry(folder.path);
    await unlink(at(STORE));
    const refusal = expect.objectContaining({
      code: 'REGISTRY_INVALID',
      message: expect.stringMatching(
        /registry\.db" is missing, while it was used; .* `lurkbox registry restore`/,
      ),
    });
    expect(() => registry.list()).toThrow(refusal);
    expect(() => registry.register(newVersion('late'))).toThrow(refusal);
    expect(await namesLike(`${STORE}`)).not.toContain(STORE);
    await registry.close();
    await using again = await openRegistry(folder.path);
    expect(again.list()).toEqual(before);
  });
});

/** A small generator of numbers that are the same in every run. */
function createRandom(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

/** Nothing is changed silently: what differs is in ERROR or gone, and told. */
async function expectNothingSilent(before: readonly PluginRecord[]): Promise<'same' | 'told'> {
  const opened = await openRegistry(folder.path).catch((error: Error) => error);
  if (opened instanceof Error) {
    expect(opened.message).toContain('run `lurkbox registry restore`');
    restoreRegistry({ stateFolder: folder.path, workspaceRoot: folder.path, backup: null });
  }
  await using registry = opened instanceof Error ? await openRegistry(folder.path) : opened;
  const after = registry.list();
  if (opened instanceof Error) expect(after).toEqual([]);
  else if (registry.repairs.length === 0) {
    expect(after).toEqual(before);
    return 'same';
  }
  for (const record of after) {
    const known = before.find(({ name }) => name === record.name);
    expect(known).toBeDefined();
    if (JSON.stringify(record.consented) !== JSON.stringify(known?.consented))
      expect(record.consented).toMatchObject({ exec: false });
    for (const version of record.versions)
      if (version.state !== 'ERROR') expect(known?.versions).toContainEqual(version);
  }
  // And it works.
  registry.register(newVersion('new'));
  expect(registry.get('new')).not.toBeNull();
  return 'told';
}

describe('damage at random', () => {
  test.each([
    ['with its backup', true],
    ['without', false],
  ])(
    'of some bytes is always reported and never blocks the registry, %s',
    { timeout: 120_000 },
    async (_, hasBackup) => {
      const before = await createStore();
      const content = await readFile(at(STORE));
      const backup = await readFile(at(BACKUP));
      const random = createRandom(hasBackup ? 1 : 2);
      const met = { same: 0, told: 0 };
      for (let round = 0; round < 120; round++) {
        const damaged = Buffer.from(content);
        for (let count = random(4) + 1; count > 0; count--)
          // Often where something is: the beginning of the file and of its pages.
          damaged[random(3) === 0 ? random(200) : random(damaged.length)] = random(256);
        await rm(folder.path, { recursive: true });
        await mkdir(folder.path);
        await writeFile(at(STORE), damaged);
        if (hasBackup) await writeFile(at(BACKUP), backup);
        met[await expectNothingSilent(before)]++;
      }
      expect(met.told).toBeGreaterThan(20);
    },
  );

  test('at any length of the file is always reported', { timeout: 120_000 }, async () => {
    const before = await createStore();
    const content = await readFile(at(STORE));
    const lengths = [
      0,
      1,
      15,
      16,
      99,
      100,
      101,
      511,
      512,
      4095,
      4096,
      4097,
      8192,
      3 * 4096 + 7,
      content.length - 4096,
      content.length - 1,
    ];
    for (const length of lengths) {
      await rm(folder.path, { recursive: true });
      await mkdir(folder.path);
      await writeFile(at(STORE), content.subarray(0, length));
      expect([length, await expectNothingSilent(before)]).toEqual([length, 'told']);
    }
  });

  test.each(['-wal', '-shm', '-journal'])(
    'in a file %s beside the registry changes nothing',
    async (ending) => {
      const before = await createStore();
      const random = createRandom(3);
      for (const size of [0, 1, 31, 32, 1000, 40_000]) {
        await writeFile(at(STORE + ending), Buffer.from(Array.from({ length: size }, () => random(256))));
        await using registry = await openRegistry(folder.path);
        expect([size, registry.list()]).toEqual([size, before]);
      }
    },
  );
});

describe('a damaged row', () => {
  async function edit(sql: string, ...values: string[]): Promise<void> {
    const store = new DatabaseSync(at(STORE));
    store.prepare(sql).run(...values);
    store.close();
  }

  test.each([
    ['manifest', "UPDATE versions SET manifest = replace(manifest, 'tool', 'hook') WHERE id = 1"],
    ['manifest', "UPDATE versions SET manifest = '{' WHERE id = 1"],
    ['state', "UPDATE versions SET state = 'UNLOADED' WHERE id = 1"],
    ['folder', "UPDATE versions SET folder = '../../../etc' WHERE id = 1"],
    ['version', "UPDATE versions SET version = 'x' WHERE id = 1"],
  ])('(%s) is a version in state ERROR, and the others work', async (_, sql) => {
    const before = await createStore();
    await edit(sql);
    await using registry = await openRegistry(folder.path);
    const [damaged] = registry.get('plugin-0')!.versions.filter(({ id }) => id === 1);
    expect(damaged).toMatchObject({
      state: 'ERROR',
      reason: 'It cannot be read from the registry: its row is damaged',
      manifest: { enabled: false, permissions: { exec: false, network: false, filesystem: false } },
    });
    expect(damaged?.folder).not.toContain('..');
    expect(registry.repairs).toEqual([expect.stringContaining('Version 1 of `plugin-0` is in ERROR.')]);
    expect(registry.list().slice(1)).toEqual(before.slice(1));
    expect(() => registry.setState(1, 'load')).toThrow('register it again, or unregister it');
    expect(registry.toJSON().plugins[0]?.versions).toHaveLength(1);
  });

  test('is repaired when its version is registered again, which can be loaded', async () => {
    await createStore();
    await edit("UPDATE versions SET manifest = '{' WHERE id = 1");
    await using registry = await openRegistry(folder.path);
    expect(registry.register(newVersion('plugin-0'))).toMatchObject({ id: 1, state: 'ERROR' });
    expect(registry.setState(1, 'load')).toMatchObject({
      state: 'LOADED',
      reason: null,
      manifest: { enabled: true },
    });
  });

  test('that is intact but breaks a rule of the manifest names the rule', async () => {
    await createStore();
    const { checksumOfVersion } = await import('../../../src/versions/registry/row-checksum.ts');
    const store = new DatabaseSync(at(STORE));
    const row = store.prepare('SELECT * FROM versions WHERE id = 1').get() as never as Parameters<
      typeof checksumOfVersion
    >[0];
    const changed = { ...row, manifest: row.manifest.replace('"exec":false', '"exec":"yes"') };
    store
      .prepare('UPDATE versions SET manifest = ?, seal = ? WHERE id = 1')
      .run(changed.manifest, checksumOfVersion(changed));
    store.close();
    await using registry = await openRegistry(folder.path);
    expect(registry.get('plugin-0')?.active).toMatchObject({
      state: 'ERROR',
      reason: expect.stringContaining('`permissions.exec`: expected true or false, got "yes"'),
    });
  });

  test('of a plugin removes its consent and its active version', async () => {
    await createStore();
    await edit("UPDATE plugins SET consents = replace(consents, 'false', 'true') WHERE id = 1");
    await using registry = await openRegistry(folder.path);
    expect(registry.get('plugin-0')).toMatchObject({
      active: null,
      consented: { exec: false, network: false },
    });
    expect(registry.repairs).toEqual([
      expect.stringContaining('`plugin-0` cannot be read (its row is damaged)'),
    ]);
  });
});

describe('the event store', () => {
  test('starts empty when it is broken, keeps the old file, and goes on with higher ids', async () => {
    const event = {
      v: 2,
      eventType: 'LOAD',
      pluginName: 'a',
      version: null,
      digest: null,
      timestamp: '',
      success: true,
      message: null,
      error: null,
      metadata: {},
    } as const;
    {
      await using registry = await openRegistry(folder.path);
      registry.register(newVersion('weather'));
      for (let index = 0; index < 10; index++) registry.appendEvent(event);
    }
    await writeFile(at('activity.db'), 'x');
    await using registry = await openRegistry(folder.path);
    expect(registry.repairs).toEqual([expect.stringContaining('activity.db" was broken')]);
    registry.appendEvent(event);
    expect(registry.events({ after: 10 })).toHaveLength(1);
    expect(registry.get('weather')).not.toBeNull();
    expect(await readFile(at((await namesLike('activity.db.broken-'))[0]!), 'utf8')).toBe('x');
  });
});

describe('a store is refused and left unchanged', () => {
  test('when a newer lurkbox wrote it', async () => {
    await createStore();
    const store = new DatabaseSync(at(STORE));
    store.exec("PRAGMA user_version = 99; UPDATE store SET format = 99, lurkbox = '7.1.0'");
    store.close();
    const before = await readFile(at(STORE));
    await expect(openRegistry(folder.path)).rejects.toMatchObject({
      code: 'REGISTRY_INVALID',
      message: expect.stringContaining(
        'knows up to 2; nothing was changed. lurkbox "7.1.0" wrote it: use that version or a later one, or move the folder',
      ),
    });
    expect(await readFile(at(STORE))).toEqual(before);
    expect(await namesLike(`${STORE}.broken`)).toEqual([]);
  });

  test('but not when only its header says so', async () => {
    const before = await createStore();
    const store = new DatabaseSync(at(STORE));
    store.exec('PRAGMA user_version = 1234567');
    store.close();
    await using registry = await openRegistry(folder.path);
    expect(registry.list()).toEqual(before);
    expect(registry.repairs).toHaveLength(1);
  });

  test.each([STORE, BACKUP, `${STORE}-wal`, 'registry.lock', 'activity.db', 'activity.lock'])(
    'when %s is a link or a folder',
    async (name) => {
      await createStore();
      await rm(at(name), { force: true });
      await writeFile(at('victim'), 'precious');
      await symlink(at('victim'), at(name));
      await expect(openRegistry(folder.path)).rejects.toMatchObject({
        code: 'REGISTRY_INVALID',
        message: expect.stringContaining('Expected a regular file at'),
      });
      expect(await readFile(at('victim'), 'utf8')).toBe('precious');
      await rm(at(name));
      await mkdir(at(name));
      await expect(openRegistry(folder.path)).rejects.toMatchObject({ code: 'REGISTRY_INVALID' });
    },
  );

  test('also when it becomes a link while it is used', async () => {
    await createStore();
    await using registry = await openRegistry(folder.path);
    await rename(at(STORE), at('elsewhere'));
    await symlink(at('elsewhere'), at(STORE));
    expect(() => registry.list()).toThrow('got a symbolic link');
    await rm(at(STORE));
    await rename(at('elsewhere'), at(STORE));
    expect(registry.list()).toHaveLength(PLUGINS);
  });
});

test('every file is readable by its owner alone, even one that was not', async () => {
  await createStore();
  await chmod(at(STORE), 0o666);
  await using registry = await openRegistry(folder.path);
  registry.register(newVersion('late'));
  for (const name of await readdir(folder.path))
    expect([name, (await stat(at(name))).mode & 0o777]).toEqual([name, 0o600]);
});
