import { createHash, randomUUID } from 'node:crypto';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:net';
import { networkInterfaces, tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { describeError } from '../../src/errors.ts';
import type { PluginExecutionResult } from '../../src/index.ts';
import {
  type AbuseCase,
  type Expectation,
  type Lures,
  readCases,
  type Stage,
  sandboxIdOf,
  stage,
  toMatcher,
} from '../helpers/abuse.ts';
import { countResources, findLeakedResources, type HostCost, watchHost } from '../helpers/host-watch.ts';
import { type OrphanWatch, watchForOrphans } from '../helpers/orphans.ts';
import { createPlugin } from '../helpers/workspace.ts';

/** The corpus: every folder of `abuse/` is a hostile plugin, and says in `expect.json` what must come of it. */
const cases = await readCases();

const MAX_GROWTH_BYTES = 64 * 1024 * 1024;
const MAX_BLOCK_MS = 100;
/** Files of the host that hostile code likes, and that nothing here may change. */
const HOST_FILES = ['/etc/passwd', '/etc/shadow', '/etc/hosts', '/etc/resolv.conf', '/root/.bashrc'];

let host: Host;
let watch: OrphanWatch;
beforeAll(async () => {
  host = await createHost();
  watch = await watchForOrphans();
  // What is loaded and compiled at the first execution is not a cost of the second.
  await using warm = await createPlugin('abuse-warm-up');
  await warm.ask(() => null);
});
afterAll(async () => {
  await watch[Symbol.asyncDispose]();
  await host[Symbol.asyncDispose]();
});

describe('a hostile plugin', () => {
  // By hand: a title that the runner puts together is cut short.
  for (const abuse of cases) {
    const { refused, title } = abuse.expectation;
    if (refused !== undefined) test(`${abuse.id}: ${title}`, () => tryRefused(abuse, refused));
    else describe(`${abuse.id}: ${title}`, () => tryCalls(abuse));
  }
});

async function tryRefused(abuse: AbuseCase, refused: NonNullable<Expectation['refused']>): Promise<void> {
  await using staged = await stage(abuse);
  const error = await staged.load();
  expect(error?.code).toBe(refused.code);
  const text = error === null ? '' : describeError(error);
  for (const problem of refused.problems) expect(text).toMatch(new RegExp(problem));
}

/** Both calls are of one orchestrator and one image where these do not change; the second one finds nothing of the first one. */
function tryCalls(abuse: AbuseCase): void {
  let staged: Stage | undefined;
  const dispose = async () => staged?.[Symbol.asyncDispose]();
  const prepare = async (): Promise<Stage> => {
    if (staged !== undefined && !abuse.isPrepared) return staged;
    await dispose();
    staged = undefined;
    staged = await stage(abuse);
    expect(await staged.load()).toBeNull();
    return staged;
  };
  afterAll(dispose);

  for (const warm of [true, false])
    test(`in a container that ${warm ? 'waited' : 'was started'} for its call`, async () =>
      tryCall(await prepare(), abuse, warm));
}

async function tryCall(staged: Stage, { expectation }: AbuseCase, warm: boolean): Promise<void> {
  const before = await snapshot(staged.hash);
  const resources = countResources();
  for (let time = 1; time <= expectation.call.times; time++) {
    host.connections = 0;
    const { value: result, cost } = await watchHost(() => staged.call(host.lures, { warm }));
    expectResult(result, expectation);
    expectBounded(cost);
    expect(host.connections).toBe(expectation.connections);
    const isWarm = result.metadata['sandbox'] === 'warm';
    if (!warm) expect(isWarm).toBe(false);
    if (isWarm || result.phases.startMs !== null)
      expect(await watch.orphansOf(sandboxIdOf(result))).toEqual([]);
  }
  expect(await findLeakedResources(resources)).toEqual([]);
  expect(await snapshot(staged.hash)).toEqual(before);
}

function expectResult(result: PluginExecutionResult, { outcome, observed, never }: Expectation): void {
  // The whole result stands in the message of a failure.
  expect([outcome].flat(), JSON.stringify(result, null, 2)).toContain(result.outcome);
  expect(result.success).toBe(result.outcome === 'OK');
  const matching = (pattern: RegExp) => expect.stringMatching(pattern);
  if (observed.result !== undefined)
    expect({ result: result.result }).toMatchObject({ result: toMatcher(observed.result, matching) });
  if (observed.error !== undefined) expect(result.error?.message).toMatch(new RegExp(observed.error));
  if (observed.logs !== undefined)
    expect(result.logs.map(({ message }) => message).join('\n')).toMatch(new RegExp(observed.logs));
  if (observed.warnings !== undefined)
    expect(result.warnings.join('\n')).toMatch(new RegExp(observed.warnings));
  const everything = JSON.stringify(result);
  for (const pattern of [...never, host.secret]) expect(everything).not.toMatch(new RegExp(pattern));
}

function expectBounded({ memoryGrowthBytes, longestBlockMs }: HostCost): void {
  expect(memoryGrowthBytes).toBeLessThanOrEqual(MAX_GROWTH_BYTES);
  expect(longestBlockMs).toBeLessThanOrEqual(MAX_BLOCK_MS);
}

async function snapshot(hashWorkspace: () => Promise<string>): Promise<Record<string, string>> {
  const files = await Promise.all(
    [...HOST_FILES, host.lures.canaryFile].map(async (path) => {
      const bytes = await readFile(path).catch(() => Buffer.from('not there'));
      return [path, createHash('sha256').update(bytes).digest('hex')] as const;
    }),
  );
  return { ...Object.fromEntries(files), workspace: await hashWorkspace() };
}

interface Host extends AsyncDisposable {
  readonly lures: Lures;
  readonly secret: string;
  connections: number;
}

/** The host as bait: a secret in a file, and listeners that nobody without a network may reach. */
async function createHost(): Promise<Host> {
  const folder = await mkdtemp(join(tmpdir(), 'lurkbox-canary-'));
  const canaryFile = join(folder, 'canary');
  const secret = randomUUID();
  await writeFile(canaryFile, secret, { mode: 0o644 });
  const abstractSocket = `\0lurkbox-canary-${randomUUID()}`;
  const count = (): void => void bait.connections++;
  const tcp = await listen(0, count);
  const local = await listen(abstractSocket, count);
  const port = (tcp.address() as { port: number }).port;
  const bait: Host = {
    lures: { canaryFile, port, addresses: hostAddresses(), abstractSocket },
    secret,
    connections: 0,
    [Symbol.asyncDispose]: async () => {
      await Promise.all([tcp, local].map((server) => new Promise((resolve) => server.close(resolve))));
      await rm(folder, { recursive: true, force: true });
    },
  };
  return bait;
}

function listen(at: number | string, onConnection: () => void): Promise<Server> {
  const { promise, resolve, reject } = Promise.withResolvers<Server>();
  const server = createServer((socket) => {
    onConnection();
    socket.on('error', () => {});
    socket.destroy();
  });
  server.once('error', reject).listen(at as number, () => resolve(server));
  return promise;
}

function hostAddresses(): string[] {
  return Object.values(networkInterfaces()).flatMap((entries) =>
    (entries ?? []).filter(({ family }) => family === 'IPv4').map(({ address }) => address),
  );
}
