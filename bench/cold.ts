// node bench/cold.ts [--rounds N]
// What a cold execution costs: a fresh container for one call, its image present. Compared, round by round and in
// random order, with `docker run` of the same image under the same options. Exits with 1 when a requirement is not met.

import { randomUUID } from 'node:crypto';
import { mkdir, writeFile } from 'node:fs/promises';
import { cpus, release } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { reportError } from '../src/cli/exit.ts';
import { formatMs, formatTable, print } from '../src/cli/output.ts';
import { Progress } from '../src/cli/progress.ts';
import { parseContext } from '../src/execution/context.ts';
import { createLurkbox, type Lurkbox, type Phases } from '../src/index.ts';
import { IMAGE_PATHS } from '../src/spec/build.ts';
import { createWorkspace, removeImagesOf, type Workspace } from '../test/helpers/workspace.ts';
import { type DockerRun, dockerClientVersion, prepareDockerRun, type Timing } from './docker-run.ts';
import { median, percentile, ratioOfMedians } from './statistics.ts';

const MAX_RATIO = 0.6;
const MAX_TEN_AT_ONCE_MS = 3_000;
const MAX_BASE_MB = 135;
const TEN_AT_ONCE_ROUNDS = 5;

const ANSWERER = 'bench-answer';
const SLEEPERS = Array.from({ length: 10 }, (_, index) => `bench-sleep-${index}`);
const SLEEP = 'export const execute = () => new Promise((resolve) => setTimeout(resolve, 1_000, null));';

const PHASES = ['queueMs', 'createMs', 'startMs', 'bootMs', 'runMs', 'teardownMs'] as const;

/** One way of a cold execution, and what the whole machine computed meanwhile. */
interface Sample extends Timing {
  readonly cpuMs: number;
  /** Only lurkbox tells them. */
  readonly phases?: Phases;
}

interface Round {
  readonly lurkbox: Sample;
  readonly dockerRun: Sample;
}

interface Requirement {
  readonly name: string;
  readonly atMost: number;
  readonly value: number;
  readonly met: boolean;
}

process.exitCode = await bench(readRounds()).catch(reportError);

async function bench(roundCount: number): Promise<number> {
  const progress = new Progress();
  await using workspace = await createWorkspace();
  await using lurkbox = await createLurkbox({ workspaceRoot: workspace.root });
  try {
    progress.begin('Building the images');
    const dockerRun = await setUp(workspace, lurkbox);
    progress.begin(`Measuring ${roundCount} rounds of one cold execution (about ${roundCount} s)`);
    const rounds = await measureRounds(roundCount, lurkbox, dockerRun);
    progress.begin(
      `Measuring ${TEN_AT_ONCE_ROUNDS} rounds of ten at once (about ${TEN_AT_ONCE_ROUNDS * 3} s)`,
    );
    const tenAtOnceMs = await measureTenAtOnce(lurkbox);
    progress.end();
    const report = {
      machine: await describeMachine(lurkbox),
      ...summarise(rounds, tenAtOnceMs, await baseBytes(lurkbox)),
      tenAtOnceMs,
      rounds,
    };
    show(report);
    await save(report);
    return report.requirements.every(({ met }) => met) ? 0 : 1;
  } finally {
    progress.end();
    for (const name of [ANSWERER, ...SLEEPERS]) await removeImagesOf(lurkbox, name);
  }
}

function readRounds(): number {
  const { values } = parseArgs({ options: { rounds: { type: 'string', default: '20' } } });
  const rounds = Number(values.rounds);
  if (Number.isInteger(rounds) && rounds >= 3) return rounds;
  throw new Error(`Expected \`--rounds\` to be a whole number of 3 or more, got ${values.rounds}.`);
}

async function setUp(workspace: Workspace, lurkbox: Lurkbox): Promise<DockerRun> {
  // What a plugin gets that asks for nothing.
  const manifest = { resources: {} };
  await workspace.addPlugin(ANSWERER, { manifest });
  for (const name of SLEEPERS) await workspace.addPlugin(name, { manifest, code: SLEEP });
  await lurkbox.plugins.discoverAndLoadAll(workspace.root);
  for (const name of SLEEPERS) await lurkbox.plugins.prepare(name);
  const { id: image } = await lurkbox.plugins.prepare(ANSWERER);
  const instance = lurkbox.plugins.get(ANSWERER);
  if (instance === null) throw new Error(`The plugin ${ANSWERER} could not be loaded.`);
  const { address } = await lurkbox.engineFacts();
  return prepareDockerRun(await lurkbox.dockerOptions(instance), { image, address, folder: workspace.root });
}

/** Each round measures both ways in random order; the first round warms up and does not count. */
async function measureRounds(count: number, lurkbox: Lurkbox, dockerRun: DockerRun): Promise<Round[]> {
  const rounds: Round[] = [];
  const byLurkbox = () => measured(() => callLurkbox(lurkbox));
  const byDockerRun = () => measured(() => callDockerRun(dockerRun));
  for (let round = 0; round <= count; round++) {
    if (Math.random() < 0.5) rounds.push({ lurkbox: await byLurkbox(), dockerRun: await byDockerRun() });
    else rounds.push({ dockerRun: await byDockerRun(), lurkbox: await byLurkbox() });
  }
  return rounds.slice(1);
}

async function measured<T extends Timing>(call: () => Promise<T>): Promise<T & { cpuMs: number }> {
  const before = busyMs();
  const timing = await call();
  return { ...timing, cpuMs: busyMs() - before };
}

function busyMs(): number {
  return cpus().reduce((sum, { times: { user, nice, sys, irq } }) => sum + user + nice + sys + irq, 0);
}

async function callLurkbox({ plugins }: Lurkbox): Promise<Timing & { phases: Phases }> {
  const startedAt = performance.now();
  const { outcome, error, phases } = await plugins.executePlugin(ANSWERER, {}, { waitForRemoval: true });
  const goneMs = performance.now() - startedAt;
  if (outcome !== 'OK') throw new Error(`${ANSWERER} ended with ${outcome}: ${error?.message}`);
  return { resultMs: goneMs - (phases.teardownMs ?? 0), goneMs, phases };
}

function callDockerRun(dockerRun: DockerRun): Promise<Timing> {
  const context = { executionId: randomUUID(), ...parseContext({}) };
  return dockerRun.measure({ entryPoint: `${IMAGE_PATHS.plugin}/index.mjs`, context });
}

/** Wall time of each round until the last of ten results; each plugin sleeps for a second of it. */
async function measureTenAtOnce({ plugins }: Lurkbox): Promise<number[]> {
  const walls: number[] = [];
  for (let round = 0; round < TEN_AT_ONCE_ROUNDS; round++) {
    const startedAt = performance.now();
    const results = await plugins.executePlugins({}, SLEEPERS);
    walls.push(performance.now() - startedAt);
    const failed = Object.values(results).find(({ success }) => !success);
    if (failed !== undefined) throw new Error(`${failed.plugin} ended with ${failed.outcome}`);
    // The removals of this round are not to disturb the next one.
    await plugins.close();
  }
  return walls;
}

async function baseBytes(lurkbox: Lurkbox): Promise<number> {
  const images = await lurkbox.images();
  const { tag } = await images.prepareBase({ exec: false });
  return (await images.list()).find((image) => image.tag === tag)?.sizeBytes ?? Number.NaN;
}

function summarise(rounds: readonly Round[], tenAtOnceMs: readonly number[], baseImageBytes: number) {
  const column = (way: keyof Round, field: 'resultMs' | 'goneMs' | 'cpuMs') =>
    rounds.map((round) => round[way][field]);
  const ratios = {
    untilResult: ratioOfMedians(column('lurkbox', 'resultMs'), column('dockerRun', 'resultMs')),
    untilGone: ratioOfMedians(column('lurkbox', 'goneMs'), column('dockerRun', 'goneMs')),
    cpu: ratioOfMedians(column('lurkbox', 'cpuMs'), column('dockerRun', 'cpuMs')),
  };
  const requirements = [
    // Both until the result is there. Until the container is gone is printed beside it: nobody waits for that here.
    demand('lurkbox / docker run, until the result', MAX_RATIO, ratios.untilResult.value),
    demand('ten at once until the last result, ms, median', MAX_TEN_AT_ONCE_MS, median(tenAtOnceMs)),
    demand('base image unpacked, MB', MAX_BASE_MB, baseImageBytes / 1e6),
  ];
  return { requirements, ratios };
}

function demand(name: string, atMost: number, value: number): Requirement {
  return { name, atMost, value, met: value <= atMost };
}

async function describeMachine(lurkbox: Lurkbox) {
  const engine = await lurkbox.engineFacts();
  return {
    cores: cpus().length,
    cpu: cpus()[0]?.model ?? 'unknown',
    kernel: release(),
    node: process.version,
    client: await dockerClientVersion(),
    engine: `${engine.version}, API ${engine.apiVersion}, ${engine.defaultRuntime}, ${engine.storageDriver}, cgroup v${engine.cgroupVersion}`,
  };
}

type Report = ReturnType<typeof summarise> & {
  readonly machine: Readonly<Record<string, string | number>>;
  readonly tenAtOnceMs: readonly number[];
  readonly rounds: readonly Round[];
};

function show({ machine, rounds, ratios, tenAtOnceMs, requirements }: Report): void {
  for (const [what, value] of Object.entries(machine)) print(`${what.padEnd(8)}${value}`);
  print(`\nOne cold execution, ${rounds.length} rounds`);
  print(
    formatTable(
      ['', 'lurkbox', 'p95', 'docker run', 'p95', 'ratio', '95 % interval'],
      [
        toRow('until the result', rounds, 'resultMs', ratios.untilResult),
        toRow('until the container is gone', rounds, 'goneMs', ratios.untilGone),
        toRow('CPU of the whole machine', rounds, 'cpuMs', ratios.cpu),
      ],
    ),
  );
  print(`\nPhases of lurkbox, medians: ${describePhases(rounds)}`);
  print(`Ten at once, each sleeping 1 s: ${tenAtOnceMs.map(formatMs).join(', ')}\n`);
  for (const { name, atMost, value, met } of requirements) {
    print(`${met ? '✔' : '✖'} ${name}: ${Number(value.toPrecision(4))}, at most ${atMost}`);
  }
}

function toRow(
  title: string,
  rounds: readonly Round[],
  field: 'resultMs' | 'goneMs' | 'cpuMs',
  ratio: { value: number; low: number; high: number },
): string[] {
  const cells = (way: keyof Round): string[] => {
    const values = rounds.map((round) => round[way][field]);
    return [formatMs(median(values)), formatMs(percentile(values, 95))];
  };
  const interval = `${ratio.low.toFixed(2)} to ${ratio.high.toFixed(2)}`;
  return [title, ...cells('lurkbox'), ...cells('dockerRun'), ratio.value.toFixed(2), interval];
}

function describePhases(rounds: readonly Round[]): string {
  return PHASES.map((phase) => {
    const values = rounds.map(({ lurkbox }) => lurkbox.phases?.[phase] ?? Number.NaN);
    return `${phase.replace('Ms', '')} ${formatMs(median(values))}`;
  }).join(', ');
}

async function save(report: Report): Promise<void> {
  const folder = join(import.meta.dirname, 'results');
  await mkdir(folder, { recursive: true });
  await writeFile(join(folder, 'cold.json'), `${JSON.stringify(report, null, 2)}\n`);
}
