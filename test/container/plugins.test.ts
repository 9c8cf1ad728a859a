import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createLurkbox, type ExecutionContextOptions, type Lurkbox } from '../../src/index.ts';
import { assertNothingLeft, createWorkspace, type Workspace } from '../helpers/workspace.ts';

/** The example plugins in the real sandbox, under the default policy. */
const PLUGINS = join(import.meta.dirname, '../../plugins');

interface Fixture {
  readonly title: string;
  readonly context: ExecutionContextOptions;
  readonly expect: { readonly outcome: string; readonly result?: unknown; readonly error?: string };
}

const names = readdirSync(PLUGINS, { withFileTypes: true })
  .filter((entry) => entry.isDirectory())
  .map(({ name }) => name);

// The images are left in the engine: they belong to the example plugins, which whoever works on them will run again.
let workspace: Workspace;
let lurkbox: Lurkbox;

beforeAll(async () => {
  workspace = await createWorkspace();
  lurkbox = await createLurkbox({ maxWarm: 0, workspaceRoot: workspace.root });
});
afterAll(async () => {
  await lurkbox.close();
  await workspace[Symbol.asyncDispose]();
});

describe.each(names)('%s', (name) => {
  beforeAll(async () => {
    await lurkbox.plugins.loadPlugin(join(PLUGINS, name));
    await lurkbox.plugins.prepare(name);
  });

  const fixtures = readdirSync(join(PLUGINS, name, 'fixtures')).map(
    (file) => JSON.parse(readFileSync(join(PLUGINS, name, 'fixtures', file), 'utf8')) as Fixture,
  );

  test.concurrent.each(fixtures.map((fixture) => [fixture.title, fixture] as const))(
    '%s',
    async (_, fixture) => {
      const { outcome, result, error, executionId } = await lurkbox.plugins.executePlugin(
        name,
        fixture.context,
        { waitForRemoval: true },
      );
      expect({ outcome, error: error?.message ?? null }).toEqual({
        outcome: fixture.expect.outcome,
        error: fixture.expect.outcome === 'OK' ? null : expect.stringContaining(fixture.expect.error ?? ''),
      });
      if (fixture.expect.result !== undefined) expect(result).toMatchObject(fixture.expect.result as object);
      await assertNothingLeft(executionId);
    },
  );
});
