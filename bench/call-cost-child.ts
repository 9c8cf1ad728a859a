// node [--cpu-prof] call-cost-child.ts <checkout> <workspace>
// Executes as many calls as each line of stdin asks for, and answers what they cost this process, as a line of JSON.

import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as delay } from 'node:timers/promises';
import { checkOutput, createInput, ECHO, PLACES, PLUGIN, POLICY } from './plugin.ts';

/** What is left to do when a call is answered: its container is removed, and another one waits. */
const SETTLE_MS = 400;

export interface CallCost {
  readonly cpuMs: number;
}

const [checkout = '.', workspaceRoot = '.'] = process.argv.slice(2);
const { createLurkbox } = (await import(
  join(checkout, 'dist', 'index.js')
)) as typeof import('../src/index.ts');
const lurkbox = await createLurkbox({ workspaceRoot, policy: POLICY, ...PLACES });
const { plugins } = lurkbox;
/** As it is called now, or was in the commit before. */
const prewarm = (plugins as { prewarm?: typeof plugins.hint }).prewarm ?? plugins.hint;
/** The same for all calls: to make another one for each would cost as much as a part of the call. */
const input = createInput();
await plugins.discoverAndLoadAll(workspaceRoot);
for (const name of [ECHO, PLUGIN]) await plugins.prepare(name);

for await (const line of createInterface({ input: process.stdin })) {
  const [kind, calls] = line.split(' ') as ['reused' | 'warm', string];
  process.stdout.write(`${JSON.stringify(await measure(kind, Number(calls)))}\n`);
}
await lurkbox.close();

async function measure(kind: 'reused' | 'warm', calls: number): Promise<CallCost> {
  const name = kind === 'reused' ? PLUGIN : ECHO;
  // One is there already where it is reused.
  if (kind === 'reused') await call(name);
  else await wait(name);
  await delay(SETTLE_MS);
  const before = process.cpuUsage();
  for (let made = 0; made < calls; made++) {
    await call(name);
    if (kind === 'warm') await wait(name);
  }
  await delay(SETTLE_MS);
  const { user, system } = process.cpuUsage(before);
  return { cpuMs: (user + system) / 1e3 / calls };
}

async function call(name: string): Promise<void> {
  const { outcome, error, result } = await plugins.executePlugin(name, { inputData: { ...input } });
  if (outcome !== 'OK') throw new Error(`${name} ended with ${outcome}: ${error?.message}`);
  checkOutput(input, result);
}

async function wait(name: string): Promise<void> {
  await prewarm.call(plugins, name, 1);
}
