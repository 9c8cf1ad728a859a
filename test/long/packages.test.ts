import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createLurkbox, type ExecutionContextOptions, type Lurkbox } from '../../src/index.ts';
import { createWorkspace, removeImagesOf, type Workspace } from '../helpers/workspace.ts';
import { pluginOf, TRIED, type TriedPackage } from './npm-packages.ts';

let workspace: Workspace;
let lurkbox: Lurkbox;

beforeAll(async () => {
  workspace = await createWorkspace();
  const policy = { allow: { exec: true } };
  lurkbox = await createLurkbox({ workspaceRoot: workspace.root, maxWarm: 0, policy });
});
afterAll(async () => {
  await lurkbox.close();
  for (const tried of TRIED) await removeImagesOf(lurkbox, nameOf(tried));
  await workspace[Symbol.asyncDispose]();
});

const nameOf = (tried: TriedPackage) => `packages-test-${pluginOf(tried)}`;

async function load(tried: TriedPackage): Promise<string> {
  const { packages, exec = false } = tried;
  const name = nameOf(tried);
  const folder = await workspace.addPlugin(name, {
    manifest: {
      name,
      dependencies: packages,
      permissions: { exec },
      resources: { memory_mb: 512, timeout_seconds: 60, cpu_percent: 100 },
    },
    code: await readFile(join(import.meta.dirname, 'packages', `${pluginOf(tried)}.mjs`), 'utf8'),
  });
  await lurkbox.plugins.loadPlugin(folder);
  return name;
}

/** From the registry that npm is set up for. */
describe('packages of npm in a container', () => {
  test.each(TRIED.map((tried) => [`${tried.packages.join(', ')} (${pluginOf(tried)})`, tried] as const))(
    '%s',
    {
      timeout: 240_000,
    },
    async (_, tried) => {
      const name = await load(tried);
      const call = (context?: ExecutionContextOptions) =>
        lurkbox.plugins.executePlugin(name, context, { waitForRemoval: true });
      const { outcome, result, error, logs, warnings } = await call();
      if (tried.fails !== undefined) {
        expect(outcome).toBe('PLUGIN_ERROR');
        expect(error?.hint).toContain(tried.fails.hint);
        expect(warnings).toEqual([expect.stringContaining(tried.fails.hint)]);
        return;
      }
      expect({ result, error, warnings }).toEqual({ result: tried.result, error: null, warnings: [] });
      expect(logs.map(({ message }) => message)).toEqual(tried.logs ?? []);
      if (tried.asksFar !== true) return;
      const { error: refused } = await call({ inputData: 'http://198.51.100.7/' });
      expect(refused?.hint).toContain('This plugin has no network');
    },
  );
});
