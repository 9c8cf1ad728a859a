import { spawnSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import Docker from 'dockerode';
import type { Outcome, PluginExecutionResult } from '../../src/index.ts';
import { LABELS } from '../../src/labels.ts';
import { collectGarbage, countResources, findLeakedResources } from '../helpers/host-watch.ts';
import { createPlugin, findByLabel, type Program, type TestPlugin } from '../helpers/workspace.ts';

/** What an execution is told to do, and how it may end; one after the other, again and again. */
const WORK: readonly {
  readonly program: Program;
  readonly ends: readonly Outcome[];
  readonly timeoutMs?: number;
  readonly cancelAfterMs?: number;
}[] = [
  { program: () => ({ text: 'x'.repeat(10_000) }), ends: ['OK'] },
  {
    program: () => {
      throw new Error('no');
    },
    ends: ['PLUGIN_ERROR'],
  },
  { program: () => process.exit(3), ends: ['PLUGIN_CRASHED'] },
  {
    program: () => {
      for (;;) console.log('flood');
    },
    ends: ['TIMEOUT'],
    timeoutMs: 300,
  },
  { program: () => 'x'.repeat(2_000_000), ends: ['OUTPUT_LIMIT'] },
  {
    program: () => {
      for (;;);
    },
    ends: ['TIMEOUT'],
    timeoutMs: 300,
  },
  {
    program: () => new Promise((resolve) => setTimeout(resolve, 5_000)),
    ends: ['CANCELLED'],
    cancelAfterMs: 300,
  },
];
/** Every so manyeth execution has a bridge network of its own. */
const NETWORK_EVERY = 10;
/** What V8 and the allocator may keep of a thousand executions; a leak of 20 KB each is more. */
const MAX_GROWTH_BYTES = 16 * 1024 * 1024;
const SETTLE_MS = 30_000;

/**
 * Executes so many one after the other and then so many at once, of every kind of ending. Throws when one ends in
 * another way, or when anything has grown: memory, handles, descriptors, containers, networks, volumes, interfaces or
 * rules of the firewall.
 */
export async function soak({
  sequential,
  parallel,
}: {
  sequential: number;
  parallel: number;
}): Promise<void> {
  const source = {
    manifest: { resources: { memory_mb: 96, cpu_percent: 100, timeout_seconds: 10, output_kb: 128 } },
  };
  await using quiet = await createPlugin('soak', source);
  await using networked = await createPlugin(
    'soak-network',
    { manifest: { ...source.manifest, permissions: { network: true } } },
    { policy: { allow: { bridge: true } } },
  );
  const pick = (index: number): TestPlugin =>
    index % NETWORK_EVERY === NETWORK_EVERY - 1 ? networked : quiet;
  // What is loaded, compiled and connected once is no growth.
  for (let index = 0; index < NETWORK_EVERY; index++) await execute(pick(index), index);
  const before = await takeStock();
  const resources = countResources();

  const memory: number[] = [];
  for (let index = 0; index < sequential; index++) {
    await execute(pick(index), index);
    memory.push(residentBytes());
  }
  await Promise.all(Array.from({ length: parallel }, (_, index) => execute(pick(index), index)));

  assertFlat(memory);
  const leaked = await findLeakedResources(resources);
  if (leaked.length > 0) throw new Error(`handles that stayed: ${leaked.join(', ')}`);
  await assertStock(before);
  for (const plugin of ['soak', 'soak-network']) {
    const left = Object.values(await findByLabel(`${LABELS.plugin}=${plugin}`)).flat();
    if (left.length > 0) throw new Error(`left in the engine: ${left.join(', ')}`);
  }
}

async function execute(plugin: TestPlugin, index: number): Promise<PluginExecutionResult> {
  const work = WORK[index % WORK.length] as (typeof WORK)[number];
  const { timeoutMs, cancelAfterMs } = work;
  const result = await plugin.run(work.program, null, {
    ...(timeoutMs === undefined ? {} : { timeoutMs }),
    ...(cancelAfterMs === undefined ? {} : { signal: AbortSignal.timeout(cancelAfterMs) }),
  });
  if (work.ends.includes(result.outcome)) return result;
  throw new Error(
    `execution ${index}: expected ${work.ends.join(' or ')}, got ${result.outcome}: ${result.error?.message}`,
  );
}

function residentBytes(): number {
  collectGarbage();
  return process.memoryUsage.rss();
}

/** The median of the last third against that of the second: the first still warms up. */
function assertFlat(memory: readonly number[]): void {
  const third = Math.floor(memory.length / 3);
  const growth = median(memory.slice(-third)) - median(memory.slice(third, 2 * third));
  if (growth > MAX_GROWTH_BYTES) throw new Error(`memory grew by ${growth} bytes in ${third} executions`);
}

function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0;
}

type Stock = Readonly<Record<string, number>>;

async function takeStock(): Promise<Stock> {
  const { Volumes } = await new Docker().listVolumes();
  return {
    descriptors: readdirSync('/proc/self/fd').length,
    volumes: Volumes?.length ?? 0,
    interfaces: readdirSync('/sys/class/net').filter((name) => name.startsWith('veth')).length,
    'rules of the firewall': String(spawnSync('iptables-save').stdout).split('\n').length,
  };
}

/** Others may be using the same engine for the moment, so what is more than before is looked at again. */
async function assertStock(before: Stock): Promise<void> {
  const deadline = performance.now() + SETTLE_MS;
  while (true) {
    const now = await takeStock();
    const grown = Object.keys(before).filter((kind) => (now[kind] ?? 0) > (before[kind] ?? 0));
    if (grown.length === 0) return;
    if (performance.now() > deadline) {
      throw new Error(grown.map((kind) => `${kind}: ${before[kind]} before, ${now[kind]} after`).join('; '));
    }
    await delay(500);
  }
}
