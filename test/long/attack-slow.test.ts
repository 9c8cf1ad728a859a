import { mkdtemp, rm } from 'node:fs/promises';
import net from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { DEADLINES } from '../../src/attack/cases/deadlines.ts';
import { ISOLATION } from '../../src/attack/cases/isolation.ts';
import { POSTURE } from '../../src/attack/cases/posture.ts';
import { runAttacks } from '../../src/attack/run.ts';
import { createLurkbox } from '../../src/index.ts';
import { createWorkspace, type Workspace } from '../helpers/workspace.ts';

let workspace: Workspace;
beforeAll(async () => {
  workspace = await createWorkspace();
});
afterAll(() => workspace[Symbol.asyncDispose]());

const LATE_MS = 800;

/** An engine that hears everything so much later. */
async function slowEngine(): Promise<AsyncDisposable & { readonly env: NodeJS.ProcessEnv }> {
  const folder = await mkdtemp(join(tmpdir(), 'lurkbox-slow-'));
  const socketPath = join(folder, 'engine.sock');
  const sockets = new Set<net.Socket>();
  const enginePath = (process.env['DOCKER_HOST'] ?? 'unix:///var/run/docker.sock').replace('unix://', '');
  const server = net.createServer({ allowHalfOpen: true }, (client) => {
    const engine = net.connect({ path: enginePath, allowHalfOpen: true });
    for (const socket of [client, engine]) {
      sockets.add(socket);
      socket.on('error', () => {}).on('close', () => sockets.delete(socket));
    }
    engine.pipe(client);
    client.on('data', (chunk) => setTimeout(() => engine.writable && engine.write(chunk), LATE_MS));
    client.on('end', () => setTimeout(() => engine.end(), LATE_MS));
    client.on('close', () => setTimeout(() => engine.destroy(), LATE_MS));
  });
  await new Promise<void>((resolve) => server.listen(socketPath, resolve));
  return {
    env: { ...process.env, DOCKER_HOST: `unix://${socketPath}` },
    [Symbol.asyncDispose]: async () => {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
      await rm(folder, { recursive: true });
    },
  };
}

test('behind a slow engine a late answer is not reported as a successful attack', async () => {
  await using engine = await slowEngine();
  await using lurkbox = await createLurkbox({ maxWarm: 0, workspaceRoot: workspace.root, env: engine.env });
  const [first, ...deadlines] = DEADLINES.attacks;
  const some = [{ area: 'Deadlines', attacks: [first!, deadlines.at(-1)!] }, ISOLATION];
  const { attacks, held } = await runAttacks(lurkbox, some);
  expect(attacks.filter(({ verdict }) => verdict === 'not held')).toEqual([]);
  expect(held).toBeGreaterThan(0);
});

test('behind a slow engine a successful attack is reported as one', async () => {
  await using engine = await slowEngine();
  await using lurkbox = await createLurkbox({
    maxWarm: 0,
    workspaceRoot: workspace.root,
    env: engine.env,
    policy: { allow: { bridge: true } },
  });
  const { attacks } = await runAttacks(lurkbox, [POSTURE], { manifest: { permissions: { network: true } } });
  const fell = attacks.filter(({ verdict }) => verdict === 'not held').map(({ id }) => id);
  expect(fell).toContain('posture-network');
});
