import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { examine } from '../../../src/storage/examine.ts';
import { ACTIVITY_FORMAT } from '../../../src/versions/registry/event-store.ts';
import { PLUGIN_STATES, TRANSITIONS } from '../../../src/versions/registry/state.ts';
import { REGISTRY_FORMAT } from '../../../src/versions/registry/tables.ts';
import { createFolder, newVersion, openRegistry } from './sample.ts';

const hashOf = (value: unknown) =>
  createHash('sha256').update(JSON.stringify(value)).digest('hex').slice(0, 16);

/** A red pin asks: does an older store still open? A change of tables needs a new version of the format. */
test('the formats of the stores are fixed', () => {
  const pin = ({ name, applicationId, version, tables, migrations }: typeof REGISTRY_FORMAT) => ({
    name,
    applicationId,
    version,
    // Of every version, from the first.
    tables: [...migrations.map((migration) => migration.tables), tables].map(hashOf),
  });
  expect(pin(REGISTRY_FORMAT)).toEqual({
    name: 'registry',
    applicationId: 0x6c726b31,
    version: 2,
    tables: ['7056864f27ba3a88', '40f93c3228badbab'],
  });
  expect(pin(ACTIVITY_FORMAT)).toEqual({
    name: 'activity',
    applicationId: 0x6c726b32,
    version: 2,
    tables: ['381ce78083b030b0', '2e973bca5e443074'],
  });
});

test('the states of a version and the steps between them are fixed', () => {
  expect(PLUGIN_STATES).toEqual(['UNLOADED', 'LOADED', 'ENABLED', 'DISABLED', 'ERROR']);
  expect(TRANSITIONS).toEqual({
    load: { from: ['UNLOADED', 'LOADED', 'ENABLED', 'DISABLED', 'ERROR'], to: 'LOADED' },
    enable: { from: ['LOADED', 'DISABLED', 'ENABLED'], to: 'ENABLED' },
    disable: { from: ['LOADED', 'ENABLED', 'DISABLED'], to: 'DISABLED' },
    stepBack: { from: ['ENABLED', 'DISABLED', 'LOADED', 'ERROR'], to: 'LOADED' },
    fail: { from: ['LOADED', 'ENABLED', 'DISABLED', 'ERROR'], to: 'ERROR' },
    unload: { from: ['LOADED', 'ENABLED', 'DISABLED', 'ERROR'], to: 'UNLOADED' },
  });
});

test('the format of an export is fixed', async () => {
  await using registry = await openRegistry(null, () => 0);
  registry.register(newVersion('ant'));
  expect(registry.toJSON()).toEqual({
    format: 'lurkbox-registry',
    version: 2,
    plugins: [
      {
        name: 'ant',
        origin: { kind: 'folder', path: '/somewhere/ant' },
        consents: [],
        active: null,
        activeBefore: [],
        canary: null,
        versions: [
          {
            id: 1,
            version: '1.0.0',
            digest: newVersion('ant').digest,
            content: newVersion('ant').digest,
            lock: null,
            folder: 'plugins/ant/1.0.0',
            origin: { kind: 'folder', path: '/somewhere/ant' },
            manifest: newVersion('ant').manifest,
            state: 'LOADED',
            reason: null,
            installedAt: '1970-01-01T00:00:00.000Z',
            statistics: { calls: 0, failures: 0, totalMs: 0, lastCallAt: null },
          },
        ],
      },
    ],
  });
});

test('a store and its backup pass their next check', async () => {
  await using folder = await createFolder();
  const registry = await openRegistry(folder.path);
  registry.register(newVersion('ant'));
  await registry.close();
  for (const [file, format] of [
    ['registry.db', REGISTRY_FORMAT],
    ['registry.backup.db', REGISTRY_FORMAT],
    ['activity.db', ACTIVITY_FORMAT],
  ] as const)
    expect([file, examine(join(folder.path, file), format)]).toMatchObject([
      file,
      { is: 'good', identity: { format: 2 } },
    ]);
});
