// node program.ts <process> <host> <cacheDir> [<seconds waited>]
// What `guard.ts` starts: waits until that process is gone, removes what it left, and ends when nothing comes any more.

import { setTimeout as delay } from 'node:timers/promises';
import { connectEngine } from '../../engine/connect.ts';
import { isProcessGone } from '../../process.ts';
import { removeStaleFolders } from '../../storage/temp-folder.ts';
import { ENGINE_IS_AWAY } from './guard-exit-code.ts';
import { createIdentity } from './identity.ts';
import { prune } from './prune.ts';

/** Something that the engine was still making for the dead process can turn up for this long after the last thing that did. */
const QUIET_MS = 15_000;
/** An engine that is away for longer is waited for by the shell that started this, if one did. */
const PATIENCE_MS = 10_000;
const MOST_MS = 10 * 60_000;
/** After the death of its owner nothing of it may be left for longer, though the engine is started again meanwhile. */
const HASTE_MS = 10_000;

const [owner = '', host = '', cacheDir = '', waited = ''] = process.argv.slice(2);
const identity = { ...createIdentity(), host };

// What ends everything in a service or a session comes here too, and this is what has to be done after it.
for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) process.on(signal, () => {});
if (await isHungUpOn()) {
  // A pipe can also break without a death; then the owner looks after itself.
  while (!isProcessGone(owner)) await delay(500);
  await removeWhatIsLeft();
}
process.exit(0);

/** False when the owner sent a line first, which says that nothing is left. */
async function isHungUpOn(): Promise<boolean> {
  for await (const _line of process.stdin) return false;
  return true;
}

async function removeWhatIsLeft(): Promise<void> {
  const begun = performance.now();
  const patienceMs = waited === '' ? MOST_MS : waited === '0' ? PATIENCE_MS : 0;
  let last = begun;
  let answered = begun;
  while (performance.now() - last < QUIET_MS && performance.now() - begun < MOST_MS) {
    const found = await foundSomething().catch(() => null);
    if (found !== null) answered = performance.now();
    else if (performance.now() - answered >= patienceMs) process.exit(ENGINE_IS_AWAY);
    if (found !== false) last = performance.now();
    await delay(performance.now() - begun < HASTE_MS ? 250 : 1_000);
  }
}

/** Only of its own: while others go on dying, each with a guard of its own, this one must come to its end. */
async function foundSomething(): Promise<boolean> {
  // Where something else is in its place by now, the containers have to go all the same.
  await removeStaleFolders(cacheDir).catch(() => {});
  const { containers, networks } = await prune(await connectEngine(), identity, { of: owner });
  return containers.length + networks.length > 0;
}
