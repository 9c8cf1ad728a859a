import { describe, expect, test, vi } from 'vitest';
import { SILENT_LOGGER } from '../../src/logger.ts';
import { PolicySchema } from '../../src/policy/schema.ts';
import { readHostAccounts } from '../../src/versions/host-accounts.ts';
import { PluginUids, type PluginUidsOptions } from '../../src/versions/plugin-uids.ts';
import { createFolder, newVersion, openRegistry } from './registry/sample.ts';

const NAMES = ['a', 'b', 'c', 'd'];

async function uidsOf(
  stateFolder: string | null,
  changes: Partial<PluginUidsOptions> & { rules?: object } = {},
) {
  const { rules = {}, ...options } = changes;
  const registry = await openRegistry(stateFolder);
  for (const name of NAMES) registry.register(newVersion(name));
  const uids = new PluginUids({
    registry,
    policy: PolicySchema.parse(rules),
    workspace: '/srv/agent',
    isHostAccount: () => false,
    logger: SILENT_LOGGER,
    ...options,
  });
  return { registry, uids, all: () => NAMES.map((name) => uids.uidOf(name)) };
}

describe('the user id of a plugin', () => {
  test('is unique, stays the same, and is known after a restart', async () => {
    await using folder = await createFolder();
    const first = await uidsOf(folder.path);
    const given = first.all();
    expect(new Set(given).size).toBe(NAMES.length);
    expect(first.all()).toEqual(given);
    await first.registry.close();
    // From the store: in another workspace other numbers would be chosen.
    const second = await uidsOf(folder.path, { workspace: '/moved' });
    expect(second.all()).toEqual(given);
    await second.registry.close();
  });

  test('is given again to a plugin that was unloaded, if it is still free', async () => {
    const { registry, uids } = await uidsOf(null);
    const before = uids.uidOf('a');
    registry.unregister('a');
    registry.register(newVersion('a'));
    expect(uids.uidOf('a')).toBe(before);
    await registry.close();
  });

  test('is the one that the policy pins, which no other plugin gets', async () => {
    const range = { first: 30_000, last: 30_003 };
    const rules = { uids: range, plugins: { a: { uid: 30_002 }, other: { uid: 65_532 } } };
    const { registry, uids, all } = await uidsOf(null, { rules });
    expect(all()).toContain(30_002);
    expect(new Set(all()).size).toBe(NAMES.length);
    expect(uids.uidOf('a')).toBe(30_002);
    expect(uids.uidOf('other')).toBe(65_532);
    await registry.close();
  });

  test('is never one of a user of the host, and changes when the host takes it', async () => {
    const taken = new Set<number>();
    const warn = vi.fn();
    const { registry, uids } = await uidsOf(null, {
      isHostAccount: (uid) => taken.has(uid),
      logger: { ...SILENT_LOGGER, warn },
    });
    const before = uids.uidOf('a');
    taken.add(before);
    const after = uids.uidOf('a');
    expect(after).not.toBe(before);
    expect(warn).toHaveBeenCalledTimes(1);
    expect(uids.uidOf('a')).toBe(after);
    await registry.close();
  });

  test('is refused when the range is used up, with the numbers', async () => {
    const { registry, uids, all } = await uidsOf(null, { rules: { uids: { first: 30_000, last: 30_002 } } });
    expect(all).toThrow(
      expect.objectContaining({
        code: 'POLICY_INVALID',
        problems: [
          { path: 'uids', message: 'expected a free number from 30000 to 30002; name a wider range' },
        ],
      }),
    );
    expect(uids.uidOf('a')).toBeGreaterThanOrEqual(30_000);
    await registry.close();
  });

  test('is still chosen when it cannot be stored, and does not change', async () => {
    const { registry, uids, all } = await uidsOf(null);
    vi.spyOn(registry, 'setUid').mockImplementation(() => {
      throw new Error('read-only');
    });
    const given = all();
    expect(new Set(given).size).toBe(NAMES.length);
    expect(all()).toEqual(given);
    expect(uids.uidOf('a')).toBe(given[0]);
    await registry.close();
  });
});

test('accounts of the host are its users, groups, subordinate ids and the current user', () => {
  const files: Record<string, string> = {
    '/etc/passwd': 'root:x:0:0:root:/root:/bin/sh\n# a comment\nada:x:40100:40200::/home/ada:/bin/sh\n',
    '/etc/group': 'root:x:0:\nstaff:x:40300:ada\n',
    '/etc/subuid': 'ada:50000:1000\n',
    '/etc/subgid': 'ada:55000:10\n\nnonsense\n',
  };
  const isAccount = readHostAccounts((file) => files[file] ?? '');
  const known = [0, 40_100, 40_300, 50_000, 50_999, 55_009, process.getuid?.() ?? 0];
  expect(known.filter((id) => !isAccount(id))).toEqual([]);
  expect([40_101, 40_200, 49_999, 51_000, 55_010].filter(isAccount)).toEqual([]);
});
