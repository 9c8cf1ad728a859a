import { setTimeout as delay } from 'node:timers/promises';
import Docker from 'dockerode';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { connectEngine } from '../../src/engine/connect.ts';
import type { ContainerEngine } from '../../src/engine/engine.ts';
import {
  createLurkbox,
  type ExecuteOptions,
  type Lurkbox,
  type LurkboxOptions,
  type PluginExecutionResult,
} from '../../src/index.ts';
import { LABELS } from '../../src/labels.ts';
import { findGuards, startOrchestrator } from '../helpers/orchestrator.ts';
import { createPrivateEngine } from '../helpers/private-engine.ts';
import {
  createWorkspace,
  type Program,
  removeImagesOf,
  toContext,
  type Workspace,
} from '../helpers/workspace.ts';

const PROBE =
  'export const execute = ({ inputData: { program, args } }, host) => program ? (0, eval)(program)(args, host) : null;';
const NAME = 'parking-probe';
const WITH_EXEC = 'parking-exec';
const WITH_NETWORK = 'parking-network';
const PLUGINS = [NAME, WITH_EXEC, WITH_NETWORK];
const docker = new Docker();

let workspace: Workspace;
let engine: ContainerEngine;

beforeAll(async () => {
  workspace = await createWorkspace();
  engine = await connectEngine();
  const manifest = { permissions: { filesystem: true } };
  await workspace.addPlugin(NAME, { code: PROBE, manifest });
  await workspace.addPlugin(WITH_EXEC, { code: PROBE, manifest: { permissions: { exec: true } } });
  await workspace.addPlugin(WITH_NETWORK, { code: PROBE, manifest: { permissions: { network: true } } });
});
afterAll(async () => {
  await using lurkbox = await createLurkbox({ workspaceRoot: workspace.root, maxWarm: 0 });
  for (const name of PLUGINS) await removeImagesOf(lurkbox, name);
  await workspace[Symbol.asyncDispose]();
});

const POLICY = { allow: { exec: true, bridge: true } };
const OPTIONS = { maxWarm: 0, maxParked: 4, policy: POLICY };

async function open(options: LurkboxOptions = {}): Promise<Lurkbox> {
  const lurkbox = await createLurkbox({ workspaceRoot: workspace.root, ...OPTIONS, ...options });
  await lurkbox.plugins.discoverAndLoadAll(workspace.root);
  return lurkbox;
}

const containersOf = (plugin: string) => engine.listContainers(`${LABELS.plugin}=${plugin}`);

async function until(what: string, isSo: () => Promise<boolean> | boolean, ms = 20_000): Promise<void> {
  const deadline = performance.now() + ms;
  while (!(await isSo())) {
    if (performance.now() > deadline) throw new Error(`not within ${ms} ms: ${what}`);
    await delay(50);
  }
}

interface Run extends PluginExecutionResult {
  readonly containerId: string;
}

async function run<Args>(
  lurkbox: Lurkbox,
  program: Program<Args>,
  { name = NAME, args, ...options }: ExecuteOptions & { name?: string; args?: Args } = {},
): Promise<Run> {
  const result = await lurkbox.plugins.executePlugin(name, toContext(program, args), options);
  return { ...result, containerId: result.metadata['containerId'] as string };
}

const isThere = async (id: string): Promise<boolean> =>
  (await engine.listContainers(`${LABELS.kind}=container`)).some((one) => one.id === id);

const isParked = async (id: string): Promise<boolean> =>
  (await engine.listContainers(`${LABELS.kind}=container`)).some(
    (one) => one.id === id && one.state === 'exited',
  );

/** So many in a minute let another one be expected within ten seconds. */
const ENOUGH_CALLS = 6;

/** Calls until one leaves a container to the next, and answers its id. */
async function park(lurkbox: Lurkbox, name = NAME): Promise<string> {
  for (let call = 1; call < ENOUGH_CALLS; call++) await run(lurkbox, () => 1, { name });
  for (let call = 0; call < 10; call++) {
    const { outcome, error, containerId } = await run(lurkbox, () => 1, { name });
    if (outcome !== 'OK') throw new Error(`${outcome}: ${error?.message}`);
    if (await hasSettled(containerId)) return containerId;
  }
  throw new Error('no container was left to the next call');
}

/** Whether it is there when its execution is over altogether. */
async function hasSettled(id: string): Promise<boolean> {
  for (;;) {
    const found = (await engine.listContainers(`${LABELS.kind}=container`)).find((one) => one.id === id);
    if (found === undefined) return false;
    // Removal of what has ended follows its end at once.
    if (found.state === 'exited') {
      await delay(150);
      return isParked(id);
    }
    await delay(20);
  }
}

/** Everything that a plugin can see and could have changed. */
const LOOK: Program = async () => {
  const fs = process.getBuiltinModule('fs');
  const os = process.getBuiltinModule('os');
  const read = (path: string): string => {
    try {
      return fs.readFileSync(path, 'utf8');
    } catch (error) {
      return (error as NodeJS.ErrnoException).code ?? '';
    }
  };
  const tree = (path: string): string[] => {
    try {
      return fs.readdirSync(path, { recursive: true, encoding: 'utf8' }).sort();
    } catch (error) {
      return [(error as NodeJS.ErrnoException).code ?? ''];
    }
  };
  const stat = (path: string) => {
    const { mode, uid, gid, size } = fs.statSync(path);
    return { mode, uid, gid, size };
  };
  const status = read('/proc/self/status').split('\n');
  return {
    files: Object.fromEntries(
      ['/tmp', '/scratch', '/dev', '/plugin', '/etc', '/run'].map((path) => [path, tree(path)]),
    ),
    folders: ['/tmp', '/scratch'].map(stat),
    // Without the ids of the mounts, which count up with every mount of the host.
    mounts: read('/proc/self/mountinfo')
      .replace(/^\d+ \d+ \d+:\d+ /gm, '')
      .replace(/master:\d+|shared:\d+/g, '')
      // The engine mounts each tmpfs in whatever order.
      .split('\n')
      .sort(),
    env: process.env,
    title: process.title,
    comm: read('/proc/self/comm'),
    argv: process.argv,
    cwd: process.cwd(),
    umask: process.umask(),
    priority: os.getPriority(),
    limits: read('/proc/self/limits'),
    oomScore: read('/proc/self/oom_score_adj'),
    timerSlack: read('/proc/self/timerslack_ns'),
    coredumps: read('/proc/self/coredump_filter'),
    cgroup: read('/proc/self/cgroup'),
    status: status.filter((line) =>
      /^(Uid|Gid|Groups|NSpid|Sig|Shd|Cap|NoNewPrivs|Seccomp|Umask)/.test(line),
    ),
    keys: read('/proc/keys'),
    queues: [
      tree('/dev/mqueue'),
      tree('/dev/shm'),
      read('/proc/sysvipc/shm'),
      read('/proc/sysvipc/msg'),
      read('/proc/sysvipc/sem'),
    ],
    locks: read('/proc/locks').includes('POSIX'),
    processes: fs.readdirSync('/proc').filter((name) => /^\d+$/.test(name)),
    unix: read('/proc/net/unix').split('\n').length,
    globals: [Reflect.get(globalThis, 'left'), Reflect.get(Object.prototype, 'left')],
    modules: Object.keys(process.getBuiltinModule('module').createRequire('/plugin/x.js').cache ?? {}),
    domain: read('/proc/sys/kernel/domainname'),
    hostname: os.hostname(),
  };
};

/** Writes wherever something can be written, and answers where that was. */
const LEAVE: Program = async () => {
  const fs = process.getBuiltinModule('fs');
  const os = process.getBuiltinModule('os');
  const { join } = process.getBuiltinModule('path');
  const did: string[] = [];
  const attempt = (what: string, work: () => unknown): void => {
    try {
      work();
      did.push(what);
    } catch {}
  };
  const everywhere = (path: string, depth: number): void => {
    attempt(path, () => fs.writeFileSync(join(path, 'left'), 'left'));
    if (depth === 0) return;
    let names: string[] = [];
    attempt('', () => (names = fs.readdirSync(path)));
    for (const name of names)
      attempt('', () => {
        if (fs.lstatSync(join(path, name)).isDirectory()) everywhere(join(path, name), depth - 1);
      });
  };
  for (const name of fs.readdirSync('/').filter((name) => !['proc', 'sys'].includes(name)))
    everywhere(`/${name}`, 3);
  attempt('link', () => fs.symlinkSync('/etc/passwd', '/tmp/link'));
  attempt('mode', () => fs.chmodSync('/scratch', 0o777));
  attempt('times', () => fs.utimesSync('/plugin/index.mjs', 1, 1));
  attempt('fifo', () => fs.writeFileSync('/dev/shm/left', 'left'));
  attempt('queue', () => fs.writeFileSync('/dev/mqueue/left', 'left'));
  for (const file of ['comm', 'oom_score_adj', 'timerslack_ns', 'coredump_filter', 'loginuid', 'autogroup'])
    attempt(file, () => fs.writeFileSync(`/proc/self/${file}`, file === 'comm' ? 'left' : '77'));
  attempt('domain', () => fs.writeFileSync('/proc/sys/kernel/domainname', 'left'));
  attempt('cgroup', () => fs.mkdirSync('/sys/fs/cgroup/left'));
  attempt('priority', () => os.setPriority(5));
  attempt('umask', () => process.umask(0o111));
  attempt('cwd', () => process.chdir('/tmp'));
  process.title = 'left';
  process.env['LEFT'] = 'left';
  Reflect.set(globalThis, 'left', 'left');
  Reflect.set(Object.prototype, 'left', 'left');
  const { createServer } = process.getBuiltinModule('net');
  attempt('socket', () => createServer().listen('/tmp/socket'));
  attempt('abstract socket', () => createServer().listen('\0left'));
  attempt('port', () => createServer().listen(4242, '127.0.0.1'));
  for (let open = 0; open < 20; open++) attempt('descriptors', () => fs.openSync('/tmp/left', 'a'));
  const { Worker } = process.getBuiltinModule('worker_threads');
  new Worker('setInterval(() => {}, 10)', { eval: true });
  attempt('programs', () =>
    process.getBuiltinModule('child_process').spawn('/bin/sh', ['-c', 'sleep 60 & sleep 60']),
  );
  process.stdout.write('left in the output, without an end');
  process.stderr.write('left in stderr, without an end');
  setInterval(() => {}, 10);
  await new Promise((resolve) => setTimeout(resolve, 100));
  return [...new Set(did)].filter((what) => what !== '');
};

describe('a container that is started again', () => {
  test.each([NAME, WITH_EXEC])('shows nothing of one call of %s to the next (P7)', async (name) => {
    await using lurkbox = await open();
    const before = await run(lurkbox, LOOK, { name });
    const used = await park(lurkbox, name);
    const leaving = await run(lurkbox, LEAVE, { name });
    expect(leaving).toMatchObject({ outcome: 'OK', containerId: used });
    expect(leaving.result).toEqual(expect.arrayContaining(['/tmp', 'comm', 'umask', 'descriptors']));
    await until('it is parked', () => isParked(used));
    const after = await run(lurkbox, LOOK, { name });
    expect([after.containerId === used, before.containerId === used]).toEqual([true, false]);
    expect(after.metadata['sandboxId']).not.toBe(leaving.metadata['sandboxId']);
    expect(after.logs).toEqual([]);
    expect(after.result).not.toBeNull();
    // What names the container is all that differs from one that is new.
    expect(withoutNames(after.result, used)).toEqual(withoutNames(before.result, before.containerId));
  });

  test('is measured for each call alone', async () => {
    await using lurkbox = await open();
    const used = await park(lurkbox);
    const heavy = await run(lurkbox, () => {
      const kept = Buffer.alloc(40e6, 1);
      const burnt = (): number => process.cpuUsage().user + process.cpuUsage().system;
      while (burnt() < 1_000_000);
      return kept.length;
    });
    await until('it is parked', () => isParked(used));
    // It has ended a moment before it is left to the next call.
    let light = await run(lurkbox, () => 1);
    for (let tries = 0; light.containerId !== used && tries < 5; tries++) light = await run(lurkbox, () => 1);
    expect([heavy.containerId, light.containerId]).toEqual([used, used]);
    expect(heavy.usage.cpuTimeMs).toBeGreaterThan(800);
    expect(light.usage.cpuTimeMs).toBeLessThan(600);
    expect(light.usage.peakMemoryBytes).toBeLessThan((heavy.usage.peakMemoryBytes as number) - 20e6);
  });

  test('tells its own end, and not that of the call before', async () => {
    await using lurkbox = await open();
    const used = await park(lurkbox);
    const crash = await run(lurkbox, () => process.exit(3));
    expect(crash).toMatchObject({ outcome: 'PLUGIN_CRASHED', containerId: used });
    expect(crash.error?.message).toContain('exit code 3');
  });
});

describe('no container is started again', () => {
  const hangsOnTo: Program = () => {
    // Leaves with another code than the runner does.
    process.on('exit', () => (process as never as { reallyExit(code: number): void }).reallyExit(0));
    return 1;
  };
  const ends: Record<string, [Program, (ExecuteOptions & { name?: string })?]> = {
    'that did not leave in the usual way': [hangsOnTo],
    'that did not leave when it was told to': [
      () => {
        setTimeout(() => {
          for (;;);
        }, 0);
        return 1;
      },
    ],
    'whose plugin failed': [
      () => {
        throw new Error('no');
      },
    ],
    'that met its deadline': [
      () => {
        for (;;);
      },
      { timeoutMs: 300 },
    ],
    'whose removal the caller waits for': [() => 1, { waitForRemoval: true }],
    'that has a network of its own': [() => 1, { name: WITH_NETWORK }],
  };

  test.each(Object.entries(ends))('%s (P2)', async (_, [program, options]) => {
    await using lurkbox = await open();
    for (let call = 0; call < ENOUGH_CALLS; call++)
      await run(lurkbox, () => 1, { ...options, waitForRemoval: true });
    const { containerId } = await run(lurkbox, program, options);
    await until('it is gone', async () => !(await isThere(containerId)), 5_000);
  });

  test('where none may be there, or nobody calls again (P2)', async () => {
    await using off = await open({ maxParked: 0 });
    await using lurkbox = await open();
    for (let call = 0; call < 4; call++) await run(off, () => 1);
    await run(lurkbox, () => 1);
    await until('all are gone', async () => (await containersOf(NAME)).length === 0, 5_000);
  });

  test('that was changed since it ended: another one is made (P6)', async () => {
    await using lurkbox = await open();
    const used = await park(lurkbox);
    await docker.getContainer(used).update({ PidsLimit: 1000 });
    const next = await run(lurkbox, () => 1);
    expect(next.outcome).toBe('OK');
    expect(next.containerId).not.toBe(used);
    await until('it is gone', async () => !(await isThere(used)));
  });

  test('that was removed or started by hand: another one is made, and none is started twice (P9)', async () => {
    await using lurkbox = await open();
    const removed = await park(lurkbox);
    await engine.removeContainer(removed);
    const next = await run(lurkbox, () => 1);
    expect(next.outcome).toBe('OK');
    expect(next.containerId).not.toBe(removed);
    const started = await park(lurkbox);
    await docker.getContainer(started).start();
    const last = await run(lurkbox, () => 1);
    expect(last.outcome).toBe('OK');
    expect(last.containerId).not.toBe(started);
    await until('it is gone', async () => !(await isThere(started)));
  });
});

describe('a container that is left to the next call', () => {
  test('is gone after ten seconds, or when its plugin or lurkbox is closed (P2)', async () => {
    await using lurkbox = await open();
    const unused = await park(lurkbox);
    await delay(2_000);
    expect(await isThere(unused)).toBe(true);
    await until('it is gone', async () => !(await isThere(unused)), 10_000);

    const unloaded = await park(lurkbox);
    await lurkbox.plugins.unloadPlugin(NAME);
    expect(await isThere(unloaded)).toBe(false);

    const closed = await park(lurkbox, WITH_EXEC);
    await lurkbox.close();
    expect(await isThere(closed)).toBe(false);
  });

  test('is gone within 10 s when its orchestrator is killed (P2)', async () => {
    const program = `
      for (let call = 0; call < 6; call++) await lurkbox.plugins.executePlugin('${NAME}', {});
      console.log('called');
      setInterval(() => {}, 1000);
    `;
    await using orchestrator = await startOrchestrator(workspace.root, program, process.env, OPTIONS);
    await orchestrator.says('called');
    const own = () => engine.listContainers(`${LABELS.process}=${orchestrator.owner}`);
    await until('one is there', async () => (await own()).some(({ state }) => state === 'exited'));
    await orchestrator.kill();
    await until('nothing of it is left', async () => (await own()).length === 0, 10_000);
    await until('its guard has ended', () => findGuards(orchestrator.owner).length === 0, 60_000);
  });

  test('is not taken for something that a fault left', async () => {
    await using lurkbox = await open();
    const used = await park(lurkbox);
    await lurkbox.prune();
    expect(await isThere(used)).toBe(true);
    expect((await run(lurkbox, () => 1)).containerId).toBe(used);
  });

  test('does not keep its plugin from being executed after its image was removed', async () => {
    await using lurkbox = await open();
    await park(lurkbox);
    const images = await (await lurkbox.images()).list();
    for (const { tag } of images.filter(({ plugin }) => plugin === NAME))
      await docker.getImage(tag).remove({ force: true });
    expect((await run(lurkbox, () => 1)).outcome).toBe('OK');
  });

  test('stands in nobody’s way when the engine is restarted, and is gone when lurkbox is closed', async () => {
    await using privateEngine = await createPrivateEngine();
    await using lurkbox = await open({ env: privateEngine.env });
    for (let call = 0; call < 5; call++) await run(lurkbox, () => 1);
    await privateEngine.stop();
    await privateEngine.start();
    await until('a call is served', async () => (await run(lurkbox, () => 1)).outcome === 'OK');
    await lurkbox.close();
    const left = await connectEngine({ env: privateEngine.env });
    expect(await left.listContainers(`${LABELS.kind}=container`)).toEqual([]);
  });
});

function withoutNames(seen: unknown, containerId: string): unknown {
  const text = JSON.stringify(seen)
    .replaceAll(containerId, '<id>')
    .replaceAll(containerId.slice(0, 12), '<name>');
  return JSON.parse(text.replace(/overlay2\\?\/[\w:/.=,-]+/g, 'overlay2'));
}
