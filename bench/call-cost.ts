// node bench/call-cost.ts <checkout of a commit before> [rounds]
// The CPU time that one call costs the orchestrator, beside that of another commit which was built with `make build`: both
// run at the same time, and take turns.

import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Readable, Writable } from 'node:stream';
import { createLurkbox } from '../src/index.ts';
import { createWorkspace, removeImagesOf } from '../test/helpers/workspace.ts';
import type { CallCost } from './call-cost-child.ts';
import { formatRatio, toTable } from './format.ts';
import { ECHO, MANIFEST, PLUGIN, pluginCode } from './plugin.ts';
import { shuffle } from './rounds.ts';
import { median, ratioOfMedians } from './statistics.ts';

const ROUNDS = 12;
/** Of each kind in a round. */
const CALLS = { reused: 300, warm: 8 } as const;
type Kind = keyof typeof CALLS;

const [peer, rounds = String(ROUNDS)] = process.argv.slice(2);
if (peer === undefined) throw new Error('Expected the folder of another commit that was built.');

await using stack = new AsyncDisposableStack();
const sides = { now: await start(process.cwd()), before: await start(peer) };

const costs: Record<Kind, Record<'now' | 'before', number[][]>> = {
  reused: { now: [], before: [] },
  warm: { now: [], before: [] },
};
for (let round = 0; round <= Number(rounds); round++) {
  for (const kind of ['reused', 'warm'] as const) {
    for (const side of shuffle(['now', 'before'] as const)) {
      const { cpuMs } = await sides[side].measure(kind, CALLS[kind]);
      // In the first one code is compiled.
      if (round > 0) costs[kind][side].push([cpuMs]);
    }
  }
}
process.stdout.write(
  `${toTable(
    ['CPU of the orchestrator per call, ms', 'now', 'before', 'now / before'],
    (['reused', 'warm'] as const).map((kind: Kind) => {
      const { now, before } = costs[kind];
      const show = (values: readonly number[][]): string => median(values.flat()).toFixed(3);
      return [kind, show(now), show(before), formatRatio(ratioOfMedians(now, before))];
    }),
  )}\n`,
);

interface Side {
  measure(kind: Kind, calls: number): Promise<CallCost>;
}

/** In a workspace of its own: two that share one wait for each other. */
async function start(checkout: string): Promise<Side> {
  const workspace = stack.use(await createWorkspace());
  for (const name of [ECHO, PLUGIN])
    await workspace.addPlugin(name, { manifest: MANIFEST, code: pluginCode() });
  stack.defer(async () => {
    await using lurkbox = await createLurkbox({ workspaceRoot: workspace.root });
    for (const name of [ECHO, PLUGIN]) await removeImagesOf(lurkbox, name);
  });
  const child: ChildProcessByStdio<Writable, Readable, null> = spawn(
    process.execPath,
    [...process.execArgv, join(import.meta.dirname, 'call-cost-child.ts'), checkout, workspace.root],
    { stdio: ['pipe', 'pipe', 'inherit'] },
  );
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  stack.defer(async () => {
    child.stdin.end();
    if (child.exitCode === null) await once(child, 'exit');
  });
  return {
    measure: async (kind, calls) => {
      child.stdin.write(`${kind} ${calls}\n`);
      const { value, done } = await lines.next();
      if (done) throw new Error(`The process of ${checkout} ended.`);
      return JSON.parse(value) as CallCost;
    },
  };
}
