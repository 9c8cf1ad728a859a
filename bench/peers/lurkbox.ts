import type { Lurkbox, PluginExecutionResult } from '../../src/index.ts';
import { checkOutput, createInput, type Input } from '../plugin.ts';
import { waitUntilQuiet } from '../quiet.ts';
import type { Peer, Timing } from './peer.ts';

export type SandboxKind = 'cold' | 'warm' | 'kept';

export interface LurkboxCall {
  readonly plugin: string;
  /** Of which kind the container must have been. */
  readonly kinds: readonly SandboxKind[];
  readonly input: Input;
  readonly waitForRemoval?: boolean;
  readonly sessionId?: string;
}

export type LurkboxTiming = Timing & { readonly result: PluginExecutionResult };

/**
 * Calls lurkbox and holds it to what is claimed: the answer is the one to this input, the container was of this kind, and
 * unless it is a reused one, no call before had it.
 */
export class CheckedCaller {
  readonly #used = new Set<string>();

  async call(lurkbox: Lurkbox, call: LurkboxCall): Promise<LurkboxTiming> {
    const { plugin, input, sessionId = null, waitForRemoval = false } = call;
    const startedAt = performance.now();
    const context = { inputData: { ...input }, sessionId };
    const result = await lurkbox.plugins.executePlugin(plugin, context, { waitForRemoval });
    const elapsedMs = performance.now() - startedAt;
    this.assertKind(result, call.kinds);
    const { ownMs } = checkOutput(input, result.result);
    const { phases } = result;
    if (!waitForRemoval) return { startedAt, resultMs: elapsedMs, goneMs: null, ownMs, phases, result };
    const resultMs = elapsedMs - (phases.teardownMs ?? 0);
    return { startedAt, resultMs, goneMs: elapsedMs, ownMs, phases, result };
  }

  assertKind(
    { plugin, outcome, error, metadata }: PluginExecutionResult,
    kinds: readonly SandboxKind[],
  ): void {
    if (outcome !== 'OK') throw new Error(`${plugin} ended with ${outcome}: ${error?.message}`);
    const { sandbox, sandboxId } = metadata as { sandbox?: SandboxKind; sandboxId?: string };
    if (sandbox === undefined || !kinds.includes(sandbox))
      throw new Error(`Expected a container that is ${kinds.join(' or ')}, got one that is ${sandbox}.`);
    if (typeof sandboxId !== 'string') throw new Error('The result does not say which container it is from.');
    if (sandbox !== 'kept' && this.#used.has(sandboxId))
      throw new Error(`The container ${sandboxId} served two calls.`);
    this.#used.add(sandboxId);
  }
}

export interface LurkboxPeerOptions {
  readonly lurkbox: Lurkbox;
  readonly caller: CheckedCaller;
  readonly plugin: string;
}

/** A container that is made when the call comes, by a lurkbox that lets none wait. */
export function createCold({ lurkbox, caller, plugin }: LurkboxPeerOptions): Peer {
  return {
    id: 'lurkbox-cold',
    call: (input) => caller.call(lurkbox, { plugin, kinds: ['cold'], input, waitForRemoval: true }),
  };
}

/** A fresh container that waits, loaded; another one takes its place after the call. */
export function createWarm({ lurkbox, caller, plugin }: LurkboxPeerOptions): Peer {
  return {
    id: 'lurkbox-warm',
    before: async () => {
      await haveWaiting(lurkbox, plugin, 1);
      await waitUntilQuiet();
    },
    call: (input) => caller.call(lurkbox, { plugin, kinds: ['warm'], input, waitForRemoval: true }),
    after: () => haveWaiting(lurkbox, plugin, 1),
  };
}

/** A container that has served the same session before. */
export function createKept(
  id: 'lurkbox-session' | 'lurkbox-plugin',
  { lurkbox, caller, plugin, quiet = true }: LurkboxPeerOptions & { readonly quiet?: boolean },
): Peer {
  const sessionId = 'bench';
  let isThere = false;
  return {
    id,
    before: async () => {
      const input = createInput();
      if (!isThere) await caller.call(lurkbox, { plugin, sessionId, kinds: ['cold', 'warm', 'kept'], input });
      isThere = true;
      if (quiet) await waitUntilQuiet();
    },
    call: (input) => caller.call(lurkbox, { plugin, sessionId, kinds: ['kept'], input }),
  };
}

/** @throws when fewer wait than asked for */
export async function haveWaiting({ plugins }: Lurkbox, plugin: string, count: number): Promise<void> {
  const ready: unknown = await plugins.prewarm(plugin, count);
  if (typeof ready === 'number' && ready < count)
    throw new Error(`Only ${ready} of ${count} containers of ${plugin} could be started ahead.`);
}
