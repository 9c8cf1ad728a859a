import { spawnSync } from 'node:child_process';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import Docker from 'dockerode';
import { describe, expect, test } from 'vitest';
import { connectEngine } from '../../src/engine/docker/connect.ts';
import { LABELS } from '../../src/labels.ts';
import { prune } from '../../src/sandboxes/cleanup/prune.ts';
import { createPlugin, findByLabel, type Program, toContext } from '../helpers/workspace.ts';

const docker = new Docker();

/** Every call of every test here checks that for itself as well. */
describe('after an execution', () => {
  test.each<[outcome: string, program: Program, options?: object]>([
    ['OK', () => 1],
    [
      'PLUGIN_ERROR',
      () => {
        throw new Error('no');
      },
    ],
    ['PLUGIN_CRASHED', () => process.exit(1)],
    [
      'TIMEOUT',
      () => {
        for (;;);
      },
      { timeoutMs: 300 },
    ],
    [
      'OUT_OF_MEMORY',
      () => {
        const kept: unknown[] = [];
        for (;;) kept.push(Buffer.alloc(4e6, 1));
      },
    ],
    ['OUTPUT_LIMIT', () => 'x'.repeat(2e6)],
    [
      'CANCELLED',
      () => {
        for (;;) console.log('busy');
      },
      { signal: AbortSignal.timeout(400) },
    ],
  ])(
    'that ended with %s no container, network or temporary file is left (P2)',
    async (outcome, program, options) => {
      await using plugin = await createPlugin(
        'cleanup-outcomes',
        {
          manifest: { permissions: { network: true } },
        },
        { policy: { allow: { bridge: true } } },
      );
      const result = await plugin.run(program, null, options);
      // A busy machine may fill the limit of output before it comes to the cancellation.
      if (outcome === 'CANCELLED') expect(result.outcome).toMatch(/^(CANCELLED|OUTPUT_LIMIT)$/);
      else expect(result.outcome).toBe(outcome);
      expect(await findByLabel(`${LABELS.plugin}=cleanup-outcomes`)).toEqual({
        containers: [],
        networks: [],
      });
      expect(await filesBelow(join(plugin.workspace.root, '.lurkbox/tmp'))).toEqual([]);
    },
  );

  test('that is not awaited, `close` waits until its container is gone (P2)', async () => {
    await using plugin = await createPlugin('cleanup-close');
    const calls = [1, 2, 3].map(() =>
      plugin.lurkbox.plugins.executePlugin(
        'cleanup-close',
        toContext(() => 'done'),
      ),
    );
    expect((await Promise.all(calls)).map(({ outcome }) => outcome)).toEqual(['OK', 'OK', 'OK']);
    await plugin.lurkbox.close();
    expect((await findByLabel(`${LABELS.plugin}=cleanup-close`)).containers).toEqual([]);
    await plugin.lurkbox.close();
    // Nothing would look after what a later call made.
    expect(await plugin.lurkbox.plugins.executePlugin('cleanup-close')).toMatchObject({
      outcome: 'CANCELLED',
      error: { message: expect.stringContaining('closed') },
    });
  });

  test('whose container was removed by hand, the result says so', async () => {
    await using plugin = await createPlugin('cleanup-vanished');
    const sleep: Program = (_, host) => {
      host.progress(0);
      return new Promise((resolve) => setTimeout(resolve, 20_000));
    };
    const removal = Promise.withResolvers<void>();
    const result = await plugin.run(sleep, null, {
      onProgress: () => {
        removal.resolve(
          findByLabel(`${LABELS.plugin}=cleanup-vanished`).then(({ containers }) =>
            docker.getContainer(containers[0] ?? '').remove({ force: true }),
          ),
        );
      },
    });
    await removal.promise;
    expect(result.outcome).toBe('CONTAINER_VANISHED');
  });
});

/** The host of these labels is one of this test alone, so that no other orchestrator judges them. */
describe('pruning', () => {
  const HOST = `test-host-${process.pid}-${Date.now()}`;
  const SELF = {
    instance: 'the one that prunes',
    host: HOST,
    boot: 'this boot',
    process: `${process.pid}:1:7`,
  };
  const OURS = {
    [LABELS.kind]: 'container',
    [LABELS.instance]: 'a dead one',
    [LABELS.host]: HOST,
    [LABELS.boot]: 'this boot',
    [LABELS.process]: `${deadPid()}:12345:7`,
  };

  const DECOYS: Readonly<Record<string, Readonly<Record<string, string>>>> = {
    'has no labels': {},
    'has only the kind': { [LABELS.kind]: 'container' },
    'is of another kind': { ...OURS, [LABELS.kind]: 'image' },
    'has a kind that only begins like ours': { ...OURS, [LABELS.kind]: 'container-of-mine' },
    'has keys that only end like ours': Object.fromEntries(
      Object.entries(OURS).map(([key, value]) => [`my.${key}`, value]),
    ),
    'was made on another host': { ...OURS, [LABELS.host]: `${HOST}-2` },
    'names no host': without(OURS, LABELS.host),
    'names no process': without(OURS, LABELS.process),
    'names no instance': without(OURS, LABELS.instance),
    'names a process that is none': { ...OURS, [LABELS.process]: 'init:1:7' },
    'was made in another pid namespace': { ...OURS, [LABELS.process]: `${deadPid()}:12345:8` },
    'names no boot': without(OURS, LABELS.boot),
    'names a process whose start is unknown': { ...OURS, [LABELS.process]: `${deadPid()}:unknown:7` },
    'was made by a process that lives': { ...OURS, [LABELS.process]: livingProcess() },
    'was made by the one that prunes': { ...OURS, [LABELS.instance]: SELF.instance },
  };

  test('removes what a dead orchestrator of this host left, and nothing that only looks like it (P8)', async () => {
    const engine = await connectEngine();
    await using plugin = await createPlugin('cleanup-decoys');
    const image = (await (await plugin.lurkbox.images()).prepareBase({ exec: false })).id;
    const suffix = `${process.pid}-${Date.now()}`;
    const decoys: Docker.Container[] = [];
    let leftover: Docker.Container | undefined;
    try {
      for (const [index, labels] of Object.values(DECOYS).entries()) {
        decoys.push(
          await docker.createContainer({
            name: `lurkbox-decoy-${index}-${suffix}`,
            Image: image,
            Labels: labels,
          }),
        );
      }
      leftover = await docker.createContainer({ name: `leftover-${suffix}`, Image: image, Labels: OURS });
      await engine.createNetwork(`leftover-${suffix}`, { ...OURS, [LABELS.kind]: 'network' });
      await engine.createNetwork(`lurkbox-decoy-${suffix}`, {
        ...OURS,
        [LABELS.kind]: 'network',
        [LABELS.host]: `${HOST}-2`,
      });

      expect(await prune(engine, SELF)).toEqual({
        containers: [`leftover-${suffix}`],
        networks: [`leftover-${suffix}`],
      });
      const states = await Promise.all(decoys.map(({ id }) => stateOf(id)));
      expect(Object.fromEntries(Object.keys(DECOYS).map((title, index) => [title, states[index]]))).toEqual(
        Object.fromEntries(Object.keys(DECOYS).map((title) => [title, 'created'])),
      );
      expect(await stateOf(leftover.id)).toBe('gone');
      expect((await engine.listNetworks(`${LABELS.host}=${HOST}-2`)).map(({ name }) => name)).toEqual([
        `lurkbox-decoy-${suffix}`,
      ]);
      expect(await prune(engine, SELF)).toEqual({ containers: [], networks: [] });
    } finally {
      for (const { id } of [...decoys, ...(leftover === undefined ? [] : [leftover])])
        await engine.removeContainer(id);
      for (const name of [`leftover-${suffix}`, `lurkbox-decoy-${suffix}`]) await engine.removeNetwork(name);
    }
  });
});

/** Files, not folders: an empty folder may stay. */
async function filesBelow(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true }).catch(() => []);
  return entries.filter((entry) => !entry.isDirectory()).map(({ name }) => name);
}

async function stateOf(container: string | undefined): Promise<string> {
  return docker
    .getContainer(container ?? '')
    .inspect()
    .then(
      ({ State }) => State.Status,
      () => 'gone',
    );
}

function without(labels: Readonly<Record<string, string>>, label: string): Record<string, string> {
  return Object.fromEntries(Object.entries(labels).filter(([key]) => key !== label));
}

function deadPid(): number {
  return spawnSync(process.execPath, ['-e', '']).pid;
}

/** This process, in the words of the label: `<pid>:<start time>` (proc(5), field 22 of `stat`). */
function livingProcess(): string {
  const stat = process.getBuiltinModule('node:fs').readFileSync('/proc/self/stat', 'utf8');
  return `${process.pid}:${stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19]}:7`;
}
