// node scripts/demo.ts
// The main job on real input: every plugin of this checkout side by side on one message and one CSV file, each in its
// own container, and their results as the block that an agent's prompt gets.

import { readFile } from 'node:fs/promises';
import { reportError } from '../src/cli/exit.ts';
import { interruption } from '../src/cli/interruption.ts';
import { print, tell } from '../src/cli/output.ts';
import { formatPhases } from '../src/cli/run.ts';
import { withNamed } from '../src/cli/workspace.ts';
import { formatPluginResults } from '../src/index.ts';

const checkout = new URL('..', import.meta.url);
const PLUGINS = ['text-stats', 'csv-profiler', 'calculator', 'pii-masker', 'action-items'];

process.exitCode = await demo().catch(reportError);

async function demo(): Promise<number> {
  const inputData = {
    user_message: await readExample('message.txt'),
    csv: await readExample('sales.csv'),
  };
  return withNamed({ workspace: checkout.pathname, log: 'warn' }, PLUGINS, async ({ plugins }) => {
    const signal = interruption();
    for (const name of PLUGINS) await plugins.prepare(name, { signal });
    tell('');
    const startedAt = performance.now();
    const results = await plugins.executePlugins(
      { inputData },
      { names: PLUGINS, signal, waitForRemoval: true },
    );
    const seconds = ((performance.now() - startedAt) / 1000).toFixed(1);
    print(`${formatPluginResults(results)}\n`);
    print(formatPhases(results));
    print(
      `\n${PLUGINS.length} plugins, each in a container of its own, side by side in ${seconds} s; none is left.`,
    );
    return Object.values(results).every(({ success }) => success) ? 0 : 1;
  });
}

async function readExample(name: string): Promise<string> {
  return readFile(new URL(`examples/${name}`, checkout), 'utf8');
}
