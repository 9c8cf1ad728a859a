import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { verifyAuditLog } from '../../../src/audit/verify.ts';
import { createLurkbox } from '../../../src/index.ts';
import { loadPlugin } from '../../../src/manifest/load.ts';
import { describeStore } from '../../fixtures/stores/describe-store.ts';
import { OLD_STORES, openOldWorkspace } from './old-stores.ts';
import { openRegistry } from './sample.ts';

const NO_ENGINE = { DOCKER_HOST: 'unix:///nonexistent/docker.sock' };

test('a test store exists for every format', () => {
  expect(OLD_STORES).toEqual(['v1', 'v2']);
});

describe.each(OLD_STORES)('a state folder of format %s', (format) => {
  test('opens with everything that its version stored', async () => {
    using old = openOldWorkspace(format);
    for (const round of ['first', 'second']) {
      const registry = await openRegistry(old.state);
      const { root, audit: _audit, lurkbox: _lurkbox, ...expected } = old.expected;
      // What lies in the workspace is kept relative to it from format 2 on, so it is where the workspace is now.
      const described = JSON.stringify(describeStore(registry)).replaceAll(old.root, String(root));
      expect({ round, ...JSON.parse(described) }).toEqual({ round, ...expected });
      expect(registry.repairs).toEqual([]);
      await registry.close();
    }
  });

  test('has an audit log that verifies, also against a hash stored elsewhere, and goes on', async () => {
    using old = openOldWorkspace(format);
    const { lastHash } = old.expected.audit;
    const folder = join(old.state, 'audit');
    expect(await verifyAuditLog(folder, { expect: lastHash })).toMatchObject(old.expected.audit);
    {
      await using lurkbox = await createLurkbox({ workspaceRoot: old.root, maxWarm: 0, env: NO_ENGINE });
      lurkbox.plugins.enablePlugin('clock');
    }
    const report = await verifyAuditLog(folder, { expect: lastHash });
    expect(report).toMatchObject({ ok: true, problems: [], firstSeq: old.expected.audit.firstSeq });
    expect(report.records).toBeGreaterThan(Number(old.expected.audit.records));
  });

  test('works: states change, versions are activated, and files are unchanged', async () => {
    using old = openOldWorkspace(format);
    await using lurkbox = await createLurkbox({ workspaceRoot: old.root, maxWarm: 0, env: NO_ENGINE });
    const { plugins, registry } = lurkbox;
    for (const { versions } of registry.list())
      for (const { folder, content } of versions)
        expect((await loadPlugin(join(old.state, folder))).content).toBe(content);
    expect(plugins.get('weather')).toMatchObject({ version: '1.1.0', enabled: true });
    expect(plugins.missingConsent('weather@1.2.0')).toEqual([]);
    expect(plugins.missingConsent('weather@3.0.0')).toMatchObject([{ path: 'permissions.channels' }]);
    await plugins.activatePlugin('weather@1.2.0');
    plugins.rollbackPlugin('weather');
    expect(registry.get('weather')?.active?.version).toBe('1.1.0');
    expect(registry.repairs).toEqual([]);
  });

  test('holds the files of plugins unchanged, and no file of an open database', () => {
    using old = openOldWorkspace(format);
    const names = readdirSync(old.state, { recursive: true, encoding: 'utf8' });
    expect(names.filter((name) => /-(wal|shm|journal)$/.test(name))).toEqual([]);
    expect(existsSync(join(old.state, 'registry.db'))).toBe(true);
    expect(readFileSync(join(old.state, 'registry.lock'))).toHaveLength(0);
  });
});
