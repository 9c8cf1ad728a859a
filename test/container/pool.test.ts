import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { connectEngine } from '../../src/engine/docker/connect.ts';
import type { ContainerEngine } from '../../src/engine/engine.ts';
import {
  createLurkbox,
  type Lurkbox,
  type LurkboxOptions,
  type PluginExecutionResult,
} from '../../src/index.ts';
import { LABELS } from '../../src/labels.ts';
import { findGuards, startOrchestrator } from '../helpers/orchestrator.ts';
import { createPrivateEngine } from '../helpers/private-engine.ts';
import { until } from '../helpers/until.ts';
import {
  createWorkspace,
  type Program,
  removeImagesOf,
  toContext,
  type Workspace,
} from '../helpers/workspace.ts';

/** Runs what it is told, and remembers that it was loaded, and what it was told before. */
const KEEPER = `
  console.log('loading');
  const loadedAt = Date.now();
  let calls = 0;
  export const execute = ({ inputData: { program, args } }, host) => {
    calls++;
    if (program) return (0, eval)(program)(args, host);
    return { calls, loadedAt, seen: globalThis.seen ?? null };
  };
`;
const NAME = 'pool-keeper';

let workspace: Workspace;
let engine: ContainerEngine;

beforeAll(async () => {
  workspace = await createWorkspace();
  engine = await connectEngine();
  await workspace.addPlugin(NAME, { code: KEEPER });
  await workspace.addPlugin('pool-lazy', { code: KEEPER, manifest: { preload: false } });
  await workspace.addPlugin('pool-broken', { code: 'throw new Error("not today");' });
  await workspace.addPlugin('pool-restless', {
    code: 'setInterval(() => { const end = Date.now() + 90; while (Date.now() < end); }, 100); export const execute = () => 1;',
  });
});
afterAll(async () => {
  await using lurkbox = await createLurkbox({ workspaceRoot: workspace.root, maxWarm: 0 });
  for (const name of [NAME, 'pool-lazy', 'pool-broken', 'pool-restless']) await removeImagesOf(lurkbox, name);
  await workspace[Symbol.asyncDispose]();
});

async function open(options: LurkboxOptions = {}): Promise<Lurkbox> {
  const lurkbox = await createLurkbox({ workspaceRoot: workspace.root, ...options });
  await lurkbox.plugins.discoverAndLoadAll(workspace.root);
  return lurkbox;
}

function inMode(isolation: string, reuse: object = {}): LurkboxOptions {
  return { policy: { warm: 0, plugins: { [NAME]: { isolation, reuse } } } };
}

const containersOf = (plugin: string) => engine.listContainers(`${LABELS.plugin}=${plugin}`);

/** Of the plugin itself: how often this container was called, and what it found. */
async function look(lurkbox: Lurkbox, context: object = {}) {
  const { outcome, result, metadata, error, logs }: PluginExecutionResult =
    await lurkbox.plugins.executePlugin(NAME, context);
  if (outcome !== 'OK') throw new Error(`${outcome}: ${error?.message}`);
  return { ...(result as object), ...metadata, logs } as unknown as {
    calls: number;
    loadedAt: number;
    seen: unknown;
    sandbox: string;
    sandboxId: string;
    logs: { message: string }[];
  };
}

async function run(lurkbox: Lurkbox, program: Program, context: object = {}, options: object = {}) {
  return lurkbox.plugins.executePlugin(NAME, { ...context, ...toContext(program) }, options);
}

describe('a waiting container', () => {
  test('is loaded before its one call, whose logs include what was printed meanwhile', async () => {
    await using lurkbox = await open();
    expect(await lurkbox.plugins.prewarm(NAME, 2)).toBe(2);
    const before = Date.now();
    const first = await look(lurkbox);
    const second = await look(lurkbox);
    for (const seen of [first, second]) {
      expect(seen).toMatchObject({ sandbox: 'warm', calls: 1, seen: null });
      expect(seen.loadedAt).toBeLessThan(before);
      expect(seen.logs.map(({ message }) => message)).toEqual(['loading']);
    }
    expect(first.sandboxId).not.toBe(second.sandboxId);
  });

  test('shows nothing of one call to the next (P7)', async () => {
    await using lurkbox = await open();
    await lurkbox.plugins.prewarm(NAME, 3);
    const leave: Program = () => {
      Object.assign(globalThis, { seen: 'secret' });
      (Object.prototype as { planted?: string }).planted = 'secret';
      process.getBuiltinModule('fs').writeFileSync('/tmp/left', 'secret');
      return 'left';
    };
    expect(await run(lurkbox, leave)).toMatchObject({ result: 'left', metadata: { sandbox: 'warm' } });
    const find: Program = () => [
      (globalThis as { seen?: string }).seen ?? null,
      ({} as { planted?: string }).planted ?? null,
      process.getBuiltinModule('fs').readdirSync('/tmp'),
    ];
    const found = await run(lurkbox, find);
    expect(found).toMatchObject({ result: [null, null, []], metadata: { sandbox: 'warm' } });
  });

  test('is not loaded before its call if the manifest says so', async () => {
    await using lurkbox = await open();
    expect(await lurkbox.plugins.prewarm('pool-lazy', 1)).toBe(1);
    const before = Date.now();
    const { result, metadata } = await lurkbox.plugins.executePlugin('pool-lazy', {});
    expect(metadata).toMatchObject({ sandbox: 'warm' });
    expect((result as { loadedAt: number }).loadedAt).toBeGreaterThanOrEqual(before);
  });

  test('that is killed by hand only costs its call a start, and is replaced', async () => {
    await using lurkbox = await open();
    await lurkbox.plugins.prewarm(NAME, 1);
    for (const { id } of await containersOf(NAME)) await engine.removeContainer(id);
    const result = await run(lurkbox, () => 1);
    expect(result.outcome).toMatch(/^(OK|CONTAINER_VANISHED|PLUGIN_CRASHED|ENGINE_LOST)$/);
    await until('one waits again', async () => (await lurkbox.plugins.prewarm(NAME, 1)) === 1);
    expect((await look(lurkbox)).sandbox).toBe('warm');
  });

  test('is started again after its image was removed', async () => {
    await using lurkbox = await open();
    await lurkbox.plugins.prewarm(NAME, 1);
    await lurkbox.plugins.prewarm(NAME, 0);
    await lurkbox.plugins.unloadPlugin('pool-lazy');
    for (const { id } of await containersOf(NAME)) await engine.removeContainer(id);
    await removeImagesOf(lurkbox, NAME);
    expect((await run(lurkbox, () => 1)).outcome).toBe('OK');
    await until('one waits again', async () => (await lurkbox.plugins.prewarm(NAME, 1)) === 1);
    expect((await look(lurkbox)).sandbox).toBe('warm');
  });

  test('is replaced when it is too old, and no call is refused meanwhile', async () => {
    await using lurkbox = await open({ maxWarmSeconds: 1 });
    await lurkbox.plugins.prewarm(NAME, 1);
    const [first] = await containersOf(NAME);
    await until('another one waits', async () => {
      const [now] = await containersOf(NAME);
      return now !== undefined && now.id !== first?.id;
    });
    expect((await run(lurkbox, () => 1)).outcome).toBe('OK');
  });

  test('that computes without a call is ended, and calls start their own', async () => {
    await using lurkbox = await open({ policy: { plugins: { 'pool-restless': { warm: 1 } } } });
    await lurkbox.plugins.prewarm('pool-restless', 1);
    await until('it is gone', async () => (await containersOf('pool-restless')).length === 0, 30_000);
    expect(await lurkbox.plugins.executePlugin('pool-restless', {})).toMatchObject({
      result: 1,
      metadata: { sandbox: 'cold' },
    });
  });

  test('gives way to a call of another plugin that needs its memory', async () => {
    await using lurkbox = await open({ maxMemoryMb: 200 });
    await lurkbox.plugins.prewarm(NAME, 2);
    expect(await lurkbox.plugins.executePlugin('pool-lazy', {})).toMatchObject({
      outcome: 'OK',
      metadata: { sandbox: 'cold' },
    });
  });

  test('that is still starting gives way too', async () => {
    await using lurkbox = await open({ maxMemoryMb: 200 });
    const hinted = lurkbox.plugins.prewarm(NAME, 2);
    await until('one is being started', async () => (await containersOf(NAME)).length > 0);
    const { outcome } = await lurkbox.plugins.executePlugin('pool-lazy', {});
    expect(outcome).toBe('OK');
    await hinted;
  });

  test('is removed when its plugin is unloaded', async () => {
    await using lurkbox = await open();
    await lurkbox.plugins.prewarm(NAME, 1);
    await lurkbox.plugins.unloadPlugin(NAME);
    expect(await containersOf(NAME)).toEqual([]);
  });

  test('is gone within 10 s when its orchestrator is killed (P2)', async () => {
    const program = `console.log(await lurkbox.plugins.prewarm('${NAME}', 3) === 3 ? 'full' : 'not full');`;
    await using orchestrator = await startOrchestrator(workspace.root, program, process.env, { maxWarm: 3 });
    await orchestrator.says('full');
    const own = () => engine.listContainers(`${LABELS.process}=${orchestrator.owner}`);
    expect(await own()).toHaveLength(3);
    await orchestrator.kill();
    await until('nothing of it is left', async () => (await own()).length === 0, 10_000);
    await until('its guard has ended', () => findGuards(orchestrator.owner).length === 0, 60_000);
  });
});

test('without a number, as many containers wait as the calls of the last minute need, and none without calls', async () => {
  await using lurkbox = await open();
  expect(await containersOf('pool-lazy')).toEqual([]);
  await run(lurkbox, () => 1, {}, { waitForRemoval: true });
  // On a host that is slow, more than one.
  await until('one waits', async () => (await containersOf(NAME)).length > 0);
  await until('it takes a call', async () => (await run(lurkbox, () => 1)).metadata['sandbox'] === 'warm');
});

test('calls of a plugin that cannot be loaded say why, and it is not restarted again and again', async () => {
  await using lurkbox = await open();
  expect(await lurkbox.plugins.prewarm('pool-broken', 2)).toBe(0);
  const result = await lurkbox.plugins.executePlugin('pool-broken', {});
  expect(result).toMatchObject({ outcome: 'PLUGIN_ERROR', metadata: { sandbox: 'cold' } });
  expect(result.error?.message).toContain('not today');
  let starts = 0;
  const known = new Set<string>();
  for (const end = performance.now() + 3_000; performance.now() < end; await delay(20)) {
    for (const { id } of await containersOf('pool-broken')) {
      if (!known.has(id)) starts++;
      known.add(id);
    }
  }
  expect(starts).toBeLessThanOrEqual(4);
});

describe('a size that does not fit is refused with both numbers', () => {
  test('in the policy, when the plugin is loaded', async () => {
    const policy = { plugins: { [NAME]: { warm: 50 } } };
    await using fresh = await createWorkspace();
    await fresh.addPlugin(NAME);
    await using lurkbox = await createLurkbox({ workspaceRoot: fresh.root, policy, maxWarm: 64 });
    const { failed } = await lurkbox.plugins.discoverAndLoadAll(fresh.root);
    expect(failed).toMatchObject([
      {
        error: {
          code: 'POLICY_INVALID',
          problems: [
            {
              path: `plugins.${NAME}.warm`,
              message: expect.stringMatching(/50 containers are asked for with 4800 MB .* 4096 MB/),
            },
          ],
        },
      },
    ]);
  });

  test('but not after the close, which returns 0', async () => {
    const lurkbox = await open();
    await lurkbox.close();
    expect(await lurkbox.plugins.prewarm(NAME, 1)).toBe(0);
  });

  test('for `prewarm`', async () => {
    await using lurkbox = await open();
    await expect(lurkbox.plugins.prewarm(NAME, 33)).rejects.toMatchObject({
      code: 'OPTIONS_INVALID',
      message: expect.stringMatching(/33 containers .* at most 32/),
    });
  });
});

describe('a reused container', () => {
  test('serves the calls of one session, each with its own context', async () => {
    await using lurkbox = await open(inMode('session'));
    const mine = { userId: 'u', sessionId: 's' };
    expect(await look(lurkbox, mine)).toMatchObject({ calls: 1, sandbox: 'cold' });
    const second = await lurkbox.plugins.executePlugin(NAME, {
      ...mine,
      ...toContext((args) => args, { only: 'mine' }),
    });
    expect(second).toMatchObject({ result: { only: 'mine' }, metadata: { sandbox: 'reused' } });
    expect(await look(lurkbox, mine)).toMatchObject({ calls: 3, sandbox: 'reused' });
  });

  test('is never shared by two sessions, by two users with a session of one name, or by calls without one (P7)', async () => {
    await using lurkbox = await open(inMode('session'));
    const contexts = [
      { userId: 'u', sessionId: 's' },
      { userId: 'u', sessionId: 't' },
      { userId: 'v', sessionId: 's' },
      { userId: null, sessionId: 's' },
      { userId: 'u', sessionId: null },
      { userId: 'u', sessionId: null },
      { userId: 'u', sessionId: '"],["' },
    ];
    const seen = await Promise.all(contexts.map((context) => look(lurkbox, context)));
    expect(seen.map(({ calls }) => calls)).toEqual(contexts.map(() => 1));
    expect(new Set(seen.map(({ sandboxId }) => sandboxId)).size).toBe(contexts.length);
  });

  test('serves the calls of its session one at a time', async () => {
    await using lurkbox = await open(inMode('session'));
    const seen = await Promise.all([1, 2, 3].map(() => look(lurkbox, { sessionId: 's' })));
    expect(seen.map(({ calls }) => calls)).toEqual([1, 2, 3]);
  });

  test('is replaced after its last call', async () => {
    await using lurkbox = await open(inMode('session', { max_calls: 2 }));
    const calls: number[] = [];
    for (let call = 0; call < 5; call++) calls.push((await look(lurkbox, { sessionId: 's' })).calls);
    expect(calls).toEqual([1, 2, 1, 2, 1]);
  });

  test('is ended after its maximum age, called or idle', async () => {
    await using lurkbox = await open(inMode('session', { max_seconds: 1 }));
    await look(lurkbox, { sessionId: 's' });
    expect(await containersOf(NAME)).toHaveLength(1);
    await until('it is gone', async () => (await containersOf(NAME)).length === 0);
  });

  test('serves no call after a deadline or a cancelled call', async () => {
    await using lurkbox = await open(inMode('plugin'));
    await look(lurkbox);
    const forever: Program = () => new Promise((resolve) => setTimeout(resolve, 60_000));
    expect((await run(lurkbox, forever, {}, { timeoutMs: 200 })).outcome).toBe('TIMEOUT');
    expect(await look(lurkbox)).toMatchObject({ calls: 1, sandbox: 'cold' });
    const cancelled = await run(lurkbox, forever, {}, { signal: AbortSignal.timeout(200) });
    expect(cancelled.outcome).toBe('CANCELLED');
    expect(await look(lurkbox)).toMatchObject({ calls: 1, sandbox: 'cold' });
  });

  test('serves the call that waited for its slot', async () => {
    await using lurkbox = await open({ ...inMode('plugin'), concurrency: 1 });
    const seen = await Promise.all([look(lurkbox), look(lurkbox), look(lurkbox)]);
    expect(seen.map(({ sandbox }) => sandbox)).toEqual(['cold', 'reused', 'reused']);
  });

  test('gives way to a call that began to need its memory while it was busy', async () => {
    await using lurkbox = await open({ ...inMode('plugin'), maxMemoryMb: 100 });
    const slow: Program = () => new Promise((resolve) => setTimeout(resolve, 300, 'kept'));
    const [first, other] = await Promise.all([
      run(lurkbox, slow),
      lurkbox.plugins.executePlugin('pool-lazy', {}),
    ]);
    expect([first.outcome, other.outcome]).toEqual(['OK', 'OK']);
  });

  test('that computes without a call is ended', async () => {
    await using lurkbox = await open(inMode('plugin'));
    const burn: Program = () => {
      const work = (): void => {
        for (const end = Date.now() + 90; Date.now() < end; );
      };
      setInterval(work, 100);
    };
    expect((await run(lurkbox, burn)).outcome).toBe('OK');
    await until('it is gone', async () => (await containersOf(NAME)).length === 0, 30_000);
    expect((await look(lurkbox)).sandbox).toBe('cold');
  });

  test('is the last used one when only one is allowed', async () => {
    await using lurkbox = await open({ ...inMode('session'), maxReused: 1 });
    for (const sessionId of ['s', 't']) await look(lurkbox, { sessionId });
    await until('one is left', async () => (await containersOf(NAME)).length === 1);
    expect(await look(lurkbox, { sessionId: 't' })).toMatchObject({ calls: 2, sandbox: 'reused' });
    expect(await look(lurkbox, { sessionId: 's' })).toMatchObject({ calls: 1, sandbox: 'cold' });
  });

  test('serves no call after an uncaught error', async () => {
    await using lurkbox = await open(inMode('plugin'));
    const fails: Program = () => {
      setTimeout(() => {
        throw new Error('late');
      });
      return new Promise(() => {});
    };
    expect((await run(lurkbox, fails)).outcome).toBe('PLUGIN_ERROR');
    expect(await look(lurkbox)).toMatchObject({ calls: 1, sandbox: 'cold' });
  });

  test('that writes a flood between calls is ended, and the next call starts its own', async () => {
    await using lurkbox = await open(inMode('plugin'));
    const flood: Program = () => {
      setTimeout(() => process.getBuiltinModule('fs').writeSync(1, `\u001e${'x'.repeat(70_000)}`), 300);
    };
    expect((await run(lurkbox, flood)).outcome).toBe('OK');
    await until('it is gone', async () => (await containersOf(NAME)).length === 0);
    expect((await look(lurkbox)).sandbox).toBe('cold');
  });

  test('that sends a request between calls is refused, and serves the next call', async () => {
    await using lurkbox = await open(inMode('plugin'));
    const ask: Program = () => {
      const { EventEmitter } = process.getBuiltinModule('node:events');
      const { emit } = EventEmitter.prototype;
      EventEmitter.prototype.emit = function (name: string | symbol, ...values: unknown[]) {
        if (name === 'data' && String(values[0]).includes('"id":7'))
          Object.assign(globalThis, { told: String(values[0]) });
        return Reflect.apply(emit, this, [name, ...values]);
      };
      const record = '\u001e{"jsonrpc":"2.0","id":7,"method":"fetch"}\n';
      setTimeout(() => process.getBuiltinModule('node:fs').writeSync(1, record), 50);
    };
    expect((await run(lurkbox, ask)).outcome).toBe('OK');
    await delay(500);
    const told: Program = () => String(Reflect.get(globalThis, 'told'));
    const { result, metadata } = await run(lurkbox, told);
    expect(metadata['sandbox']).toBe('reused');
    expect(result).toMatch(/"id":7,"error":\{"code":-32010,/);
  });

  test('serves all callers in mode `plugin`, and goes on after an error', async () => {
    await using lurkbox = await open(inMode('plugin'));
    expect(await look(lurkbox, { sessionId: 's' })).toMatchObject({ calls: 1 });
    const fails: Program = () => {
      throw new Error('no');
    };
    expect((await run(lurkbox, fails)).outcome).toBe('PLUGIN_ERROR');
    expect(await look(lurkbox, { userId: 'other' })).toMatchObject({ calls: 3, sandbox: 'reused' });
  });

  test('has a new output limit in each call, and breaks the protocol by a late answer to an earlier one', async () => {
    await using lurkbox = await open(inMode('plugin'));
    const large: Program = () => 'x'.repeat(600_000);
    for (let call = 0; call < 3; call++) expect((await run(lurkbox, large)).outcome).toBe('OK');
    const forge: Program = () => {
      const record = '\u001e{"jsonrpc":"2.0","id":1,"result":"forged"}\n';
      process.getBuiltinModule('fs').writeSync(1, record);
      return new Promise((resolve) => setTimeout(resolve, 5_000));
    };
    expect((await run(lurkbox, forge)).outcome).toBe('PROTOCOL_ERROR');
  });

  test('is named in the restrictions, and lowers the rating', async () => {
    await using lurkbox = await open(inMode('plugin'));
    const instance = lurkbox.plugins.get(NAME);
    expect(instance?.rating.score).toBe(6);
    expect(instance?.restrictions.find(({ control }) => control === 'isolation')).toMatchObject({
      value: 'one container for each plugin, for at most 1000 calls and 300 s',
      origin: 'policy',
    });
  });
});

test('after a restart of the engine calls go on, and containers wait again', async () => {
  await using privateEngine = await createPrivateEngine();
  await using lurkbox = await open({ env: privateEngine.env });
  expect(await lurkbox.plugins.prewarm(NAME, 2)).toBe(2);
  await privateEngine.stop();
  const away = await run(lurkbox, () => 1);
  expect(away.outcome).toMatch(/^(ENGINE_|CONTAINER_VANISHED)/);
  await privateEngine.start();
  await until('a call is served', async () => (await run(lurkbox, () => 1)).outcome === 'OK');
  await until('two wait again', async () => (await lurkbox.plugins.prewarm(NAME, 2)) === 2);
  expect((await look(lurkbox)).sandbox).toBe('warm');
});
