import { createLurkbox, type Lurkbox } from '../../src/index.ts';
import { createWorkspace } from '../../test/helpers/workspace.ts';
import { createKept, createWarm } from '../peers/lurkbox.ts';
import { ECHO, MANIFEST, PLUGIN, POLICY, pluginCode } from '../plugin.ts';
import { measureRounds, type Rounds } from '../rounds.ts';

import type { CellContext } from './cell.ts';

/** Columns are `kept 1`, `kept many`, `warm 1` and `warm many`. */
export interface RegisteredResult extends Rounds {
  readonly plugins: number;
  readonly callsPerRound: { readonly kept: number; readonly warm: number };
}

const WRITES_AT_ONCE = 50;

/** The same call where its plugin is the only one that is registered, and where it is one of many. */
export async function measureRegistered({ stage, scale, tell }: CellContext): Promise<RegisteredResult> {
  const { rounds, plugins, keptCallsPerRound } = scale.registered;
  await using stack = new AsyncDisposableStack();
  tell(`registering ${plugins} plugins`);
  const few = {
    kept: await open(stack, [PLUGIN]),
    warm: await open(stack, [ECHO]),
  };
  const others = Array.from({ length: plugins - 2 }, (_, index) => `bench-other-${index + 1}`);
  const many = await open(stack, [ECHO, PLUGIN, ...others]);
  const { caller } = stage;
  const kept = (lurkbox: Lurkbox) =>
    createKept('lurkbox-plugin', { lurkbox, caller, plugin: PLUGIN, quiet: false });
  const warm = (lurkbox: Lurkbox) => createWarm({ lurkbox, caller, plugin: ECHO });
  const callsPerRound = { kept: keptCallsPerRound, warm: 1 };
  const ways = [
    { key: 'kept 1', peer: kept(few.kept), calls: callsPerRound.kept },
    { key: 'kept many', peer: kept(many), calls: callsPerRound.kept },
    { key: 'warm 1', peer: warm(few.warm) },
    { key: 'warm many', peer: warm(many) },
  ];
  const onRound = (round: number): void => tell(`round ${round} of ${rounds}`);
  return { plugins, callsPerRound, ...(await measureRounds(ways, { rounds, onRound })) };
}

/** In a workspace of its own. Where the content of a plugin is the same, so is its image. */
async function open(stack: AsyncDisposableStack, names: readonly string[]): Promise<Lurkbox> {
  const workspace = stack.use(await createWorkspace());
  for (let at = 0; at < names.length; at += WRITES_AT_ONCE)
    await Promise.all(
      names
        .slice(at, at + WRITES_AT_ONCE)
        .map((name) => workspace.addPlugin(name, { manifest: MANIFEST, code: pluginCode() })),
    );
  const lurkbox = stack.use(await createLurkbox({ workspaceRoot: workspace.root, policy: POLICY }));
  const { loaded } = await lurkbox.plugins.discoverAndLoadAll(workspace.root);
  if (loaded.length !== names.length)
    throw new Error(`Only ${loaded.length} of ${names.length} plugins could be registered.`);
  return lurkbox;
}
