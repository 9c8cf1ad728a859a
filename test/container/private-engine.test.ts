import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { copyFileSync, existsSync, readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { expect, test } from 'vitest';
import { connectEngine } from '../../src/engine/docker/connect.ts';
import { createLurkbox } from '../../src/index.ts';
import { runCli } from '../cli/run-cli.ts';
import { type Certificates, createCertificates } from '../helpers/certificates.ts';
import { forwardInto } from '../helpers/forward-into.ts';
import { createPrivateEngine, type PrivateEngine } from '../helpers/private-engine.ts';
import { createPlugin, type TestPlugin, toContext } from '../helpers/workspace.ts';

/** The engine of a test itself: what tests of faults stand on, and break. */

test('a private engine runs plugins, also over TLS, comes back after a kill, and leaves nothing', async () => {
  using certificates = createCertificates();
  const engine = await createPrivateEngine({ args: listenOnTls(certificates) });
  const folder = dirname(engine.socketPath);
  const plugin = await createPlugin('private-engine', {}, { env: engine.env });
  let processes: string[] = [];
  let containers: string[] = [];
  try {
    await killAround(engine, plugin);
    await engine.start();
    expect(await plugin.ask(() => 'here again')).toBe('here again');
    await runOverTls(engine, plugin, certificates);
    await engine.stop();
    await engine.start();
    ({ processes, containers } = await killAround(engine, plugin));
    await plugin.lurkbox.close();
  } finally {
    await engine[Symbol.asyncDispose]();
    await plugin.workspace[Symbol.asyncDispose]();
  }
  expect(existsSync(folder)).toBe(false);
  expect(readFileSync('/proc/self/mountinfo', 'utf8')).not.toContain(folder);
  for (const identity of processes) expect(identityOf(Number(identity.split(' ')[0]))).not.toBe(identity);
  expect(containers.length).toBeGreaterThan(0);
  expect(cgroupsOf(containers)).toEqual([]);
});

const TLS_PORT = 2376;

/** On every address, because its network has none of its own when it starts. */
function listenOnTls({ server }: Certificates): string[] {
  const files = { tlscacert: 'ca.pem', tlscert: 'cert.pem', tlskey: 'key.pem' };
  const named = Object.entries(files).map(([name, file]) => `--${name}=${join(server, file)}`);
  return ['--host', `tcp://0.0.0.0:${TLS_PORT}`, '--tlsverify', ...named];
}

/** As a user whose environment names the engine so: the CLI, a call, what lurkbox leaves, and a client without a certificate. */
async function runOverTls(
  engine: PrivateEngine,
  { workspace, name }: TestPlugin,
  { client }: Certificates,
): Promise<void> {
  await using way = await forwardInto(engine.pid, TLS_PORT);
  const host = `tcp://localhost:${way.port}`;
  const env = { DOCKER_HOST: host, DOCKER_TLS_VERIFY: '1', DOCKER_CERT_PATH: client };
  const told = await runCli(['doctor', '--json', '--workspace', workspace.root], { env });
  const { address, chosenBy, connection } = JSON.parse(told.stdout).engine;
  expect({ address, chosenBy, connection }).toEqual({
    address: host,
    chosenBy: '`DOCKER_HOST`',
    connection: 'TLS',
  });
  await using lurkbox = await createLurkbox({
    workspaceRoot: workspace.root,
    persist: false,
    maxWarm: 0,
    env: { ...process.env, ...env },
  });
  await lurkbox.plugins.discoverAndLoadAll(workspace.root);
  const long = () => {
    console.log('x'.repeat(100_000));
    return 'y'.repeat(100_000);
  };
  const { outcome, result } = await lurkbox.plugins.executePlugin(name, toContext(long));
  expect({ outcome, length: String(result).length }).toEqual({ outcome: 'OK', length: 100_000 });
  await expect(connectEngine({ env: { DOCKER_HOST: host } })).rejects.toThrow(
    /: it speaks TLS alone at that port; set `DOCKER_TLS_VERIFY=1`/,
  );
  using strangers = createCertificates();
  copyFileSync(join(client, 'ca.pem'), join(strangers.client, 'ca.pem'));
  await expect(connectEngine({ env: { ...env, DOCKER_CERT_PATH: strangers.client } })).rejects.toThrow(
    /certificate of this client/,
  );
}

/** Kills the engine while a plugin runs, and answers what is there to be removed then. */
async function killAround(engine: PrivateEngine, plugin: TestPlugin) {
  const running = plugin.run(() => new Promise(() => setTimeout(() => {}, 60_000)));
  await expect.poll(() => engine.pidsOf('MainThread'), { timeout: 20_000 }).toHaveLength(1);
  // One that was started ahead may be on its way out yet, in the place of another one.
  await expect.poll(() => cgroupsOf(containersOf(engine)), { timeout: 20_000 }).not.toEqual([]);
  const programs = ['dockerd', 'containerd', 'containerd-shim-runc-v2', 'MainThread'];
  const processes = programs.flatMap((program) => engine.pidsOf(program)).map(identityOf);
  const containers = containersOf(engine);
  await engine.kill();
  expect(engine.pidsOf('dockerd')).toEqual([]);
  const { outcome } = await running.catch(() => ({ outcome: 'ENGINE_LOST' }));
  expect(outcome).toBe('ENGINE_LOST');
  return { processes, containers };
}

test('a private engine has its own network, mounts and processes', async () => {
  await using engine = await createPrivateEngine();
  for (const namespace of ['net', 'mnt', 'pid']) {
    const own = readlinkSync(`/proc/self/ns/${namespace}`);
    expect(readlinkSync(`/proc/${engine.pid}/ns/${namespace}`)).not.toBe(own);
  }
  expect(engine.programs().sort()).toEqual(['containerd', 'dockerd']);
});

test('a private engine ends with the process that started it, however that ends', async () => {
  const program = `
    import { createPrivateEngine } from ${JSON.stringify(join(import.meta.dirname, '../helpers/private-engine.ts'))};
    const engine = await createPrivateEngine();
    console.log(JSON.stringify([engine.socketPath, engine.pid]));
    setInterval(() => {}, 1000);`;
  const owner = spawn(process.execPath, ['--input-type=module-typescript', '-e', program], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const [line] = await once(createInterface(owner.stdout), 'line');
  const [socketPath, pid] = JSON.parse(String(line)) as [string, number];
  const daemon = identityOf(pid);
  owner.kill('SIGKILL');
  await expect.poll(() => existsSync(dirname(socketPath)), { timeout: 20_000 }).toBe(false);
  expect(identityOf(pid)).not.toBe(daemon);
});

function containersOf(engine: PrivateEngine): string[] {
  return readdirSync(join(dirname(engine.socketPath), 'data/containers'));
}

/** The pid and when it was started; `gone` for none. */
function identityOf(pid: number): string {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    return `${pid} ${stat.slice(stat.lastIndexOf(')')).split(' ')[20]}`;
  } catch {
    return 'gone';
  }
}

/** Folders of these containers, in whichever of the hierarchies that this host has. */
function cgroupsOf(ids: readonly string[]): string[] {
  const roots = ['/sys/fs/cgroup', ...readdirSync('/sys/fs/cgroup').map((name) => `/sys/fs/cgroup/${name}`)];
  return roots.flatMap((root) => ids.map((id) => `${root}/docker/${id}`)).filter((path) => existsSync(path));
}
