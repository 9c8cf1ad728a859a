import { expect, test } from 'vitest';
import { createLurkbox } from '../../src/index.ts';
import { LABELS } from '../../src/labels.ts';
import { startOrchestrator } from '../helpers/orchestrator.ts';
import { createWorkspace, findByLabel, removeImagesOf } from '../helpers/workspace.ts';

const PLUGIN = 'two-orchestrators';

/** Executes again and again and prunes in between; says `done` only when every execution came to its end. */
const PROGRAM = `
  const outcomes = [];
  for (let round = 0; round < 6; round++) {
    const calls = [1, 2, 3].map(() => lurkbox.plugins.executePlugin('${PLUGIN}', {}, { waitForRemoval: true }));
    await lurkbox.prune();
    outcomes.push(...(await Promise.all(calls)).map(({ outcome }) => outcome));
  }
  await lurkbox.close();
  console.log(outcomes.every((outcome) => outcome === 'OK') ? 'done' : outcomes.join());
`;

test("orchestrators that execute and prune at the same time never touch each other's work (P8)", async () => {
  await using workspace = await createWorkspace();
  await workspace.addPlugin(PLUGIN, {
    code: 'export const execute = () => new Promise((resolve) => setTimeout(resolve, 200));',
  });
  await using lurkbox = await createLurkbox({ maxWarm: 0, workspaceRoot: workspace.root });
  await lurkbox.plugins.discoverAndLoadAll(workspace.root);
  await lurkbox.plugins.prepare(PLUGIN);
  try {
    await using first = await startOrchestrator(workspace.root, PROGRAM);
    await using second = await startOrchestrator(workspace.root, PROGRAM);
    expect(first.owner).not.toBe(second.owner);
    const both = Promise.all([first.says('done'), second.says('done')]);
    // Others come and go meanwhile, each of which prunes when it starts.
    let isOver = false;
    void both.catch(() => {}).finally(() => (isOver = true));
    while (!isOver) {
      await using passing = await createLurkbox({ maxWarm: 0, workspaceRoot: workspace.root });
      await passing.engineFacts();
    }
    await both;
    expect(await findByLabel(`${LABELS.plugin}=${PLUGIN}`)).toEqual({ containers: [], networks: [] });
  } finally {
    await removeImagesOf(lurkbox, PLUGIN);
  }
}, 240_000);
