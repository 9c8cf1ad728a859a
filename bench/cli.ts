// node bench/cli.ts [--rounds N]
// Measures the command line beside `node -e 0`, `docker version` and `docker run --rm -i` of the same image with the same options, in
// one interleaved run: each round starts every command once, in random order. Prints ratios with their 95 % intervals, and writes
// bench/results/cli.json. `BENCH_BEFORE=<checkout>`, which is built, measures another version beside it. Needs an engine.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { cp, mkdir, mkdtemp, realpath, rm } from 'node:fs/promises';
import { cpus, loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import Docker from 'dockerode';
import { print, tell } from '../src/cli/output.ts';
import { findEngine } from '../src/engine/docker/find.ts';
import { createLurkbox } from '../src/index.ts';
import { IMAGE_PATHS } from '../src/spec/build.ts';
import { createWorkspace, removeImagesOf } from '../test/helpers/workspace.ts';
import { formatNumber, formatRatio, toTable } from './format.ts';
import { createDockerRun } from './peers/docker-run.ts';
import { removePeerContainers } from './peers/subject.ts';
import { createInput, ECHO, MANIFEST, pluginCode } from './plugin.ts';
import { RESULTS_FOLDER, writeResult } from './results.ts';
import { shuffle } from './rounds.ts';
import { median, ratioOfMedians } from './statistics.ts';

const REPOSITORY = join(import.meta.dirname, '..');
/** `list` reads so many plugins, as the examples are. */
const PLUGINS = ['action-items', 'calculator', 'csv-profiler', 'pii-masker'];

interface Target {
  readonly what: string;
  readonly beside: string;
  readonly atMost: number;
}

const TARGETS: readonly Target[] = [
  { what: 'lurkbox --version', beside: 'node -e 0', atMost: 1.6 },
  { what: 'lurkbox list', beside: 'node -e 0', atMost: 3 },
  { what: 'lurkbox run', beside: 'docker run', atMost: 1.1 },
];

const { values } = parseArgs({ options: { rounds: { type: 'string', default: '25' } } });
await bench(Number(values.rounds));

async function bench(rounds: number): Promise<void> {
  await using stack = new AsyncDisposableStack();
  const workspace = stack.use(await createWorkspace());
  const caches = await mkdtemp(join(await realpath(tmpdir()), 'lurkbox-bench-'));
  stack.defer(() => rm(caches, { recursive: true, force: true }));
  await workspace.addPlugin(ECHO, { manifest: MANIFEST, code: pluginCode() });
  for (const name of PLUGINS)
    await cp(join(REPOSITORY, 'plugins', name), join(workspace.root, 'plugins', name), { recursive: true });
  const dockerRun = await prepare(workspace.root, stack);
  const input = JSON.stringify(createInput(0));
  const lurkbox = (checkout: string, ...args: string[]) => {
    const env = { ...process.env, XDG_CACHE_HOME: caches };
    return () => timeOf(process.execPath, [join(checkout, 'bin/lurkbox.js'), ...args], workspace.root, env);
  };
  const ofLurkbox = (checkout: string, mark: string): Record<string, () => Promise<number>> => ({
    [`lurkbox --version${mark}`]: lurkbox(checkout, '--version'),
    [`lurkbox list${mark}`]: lurkbox(checkout, 'list'),
    [`lurkbox run${mark}`]: lurkbox(checkout, 'run', ECHO, '--input', input, '--json'),
  });
  const before = process.env['BENCH_BEFORE'];
  const commands: Record<string, () => Promise<number>> = {
    'node -e 0': () => timeOf(process.execPath, ['-e', '0'], workspace.root),
    'docker version': () => timeOf('docker', ['version'], workspace.root),
    'docker run': dockerRun,
    ...ofLurkbox(REPOSITORY, ''),
    ...(before === undefined ? {} : ofLurkbox(before, ', before')),
  };
  const times = await measure(commands, rounds);
  await report(times, before !== undefined);
}

/** Makes the image that all of them run, and a way to run it without lurkbox. */
async function prepare(root: string, stack: AsyncDisposableStack): Promise<() => Promise<number>> {
  const address = await findEngine();
  const docker = new Docker(
    'socketPath' in address ? { socketPath: address.socketPath } : { host: address.host, port: address.port },
  );
  await using lurkbox = await createLurkbox({ workspaceRoot: root, maxWarm: 0 });
  await lurkbox.plugins.discoverAndLoadAll();
  const { id: image } = await lurkbox.plugins.prepare(ECHO);
  const options = await lurkbox.dockerOptions(lurkbox.plugins.getOrThrow(ECHO));
  const folder = join(root, 'docker-run');
  await mkdir(folder);
  const entryPoint = `${IMAGE_PATHS.plugin}/index.mjs`;
  const peer = await createDockerRun({
    docker,
    address: address.url,
    options,
    image,
    imageTag: image,
    entryPoint,
    folder,
  });
  stack.defer(async () => {
    await removePeerContainers(docker);
    await using last = await createLurkbox({ workspaceRoot: root, maxWarm: 0 });
    await removeImagesOf(last, ECHO);
  });
  return async () => {
    const { goneMs } = await peer.call(createInput(0));
    if (goneMs === null) throw new Error('`docker run` did not end.');
    return goneMs;
  };
}

async function timeOf(
  command: string,
  args: readonly string[],
  cwd: string,
  env = process.env,
): Promise<number> {
  const startedAt = performance.now();
  const child = spawn(command, args, { cwd, env, stdio: ['ignore', 'ignore', 'inherit'] });
  const [exitCode] = await once(child, 'close');
  if (exitCode !== 0) throw new Error(`\`${command} ${args.join(' ')}\` ended with ${exitCode}.`);
  return performance.now() - startedAt;
}

/** The first round warms up and does not count: caches are filled, and the workspace is made. */
async function measure(
  commands: Readonly<Record<string, () => Promise<number>>>,
  rounds: number,
): Promise<Record<string, number[]>> {
  const times: Record<string, number[]> = Object.fromEntries(Object.keys(commands).map((what) => [what, []]));
  for (let round = 0; round <= rounds; round++) {
    if (process.stderr.isTTY) process.stderr.write(`\r\u001b[Kround ${round} of ${rounds}`);
    for (const [what, run] of shuffle(Object.entries(commands))) {
      const ms = await run();
      if (round > 0) times[what]?.push(ms);
    }
  }
  return times;
}

async function report(times: Readonly<Record<string, readonly number[]>>, hasBefore: boolean): Promise<void> {
  const roundsOf = (what: string) => (times[what] ?? []).map((ms) => [ms]);
  const ratios = TARGETS.flatMap(({ what, beside, atMost }) =>
    ['', ...(hasBefore ? [', before'] : [])].map((mark) => ({
      what: `${what}${mark}`,
      beside,
      atMost,
      ratio: ratioOfMedians(roundsOf(`${what}${mark}`), roundsOf(beside)),
    })),
  );
  await writeResult(RESULTS_FOLDER, 'cli', {
    date: new Date().toISOString().slice(0, 10),
    node: process.version,
    cores: cpus().length,
    load: loadavg()[0],
    ratios,
    times,
  });
  print(
    toTable(
      ['command', 'median, ms', 'fastest, ms'],
      Object.entries(times).map(([what, ms]) => [
        what,
        formatNumber(median(ms)),
        formatNumber(Math.min(...ms)),
      ]),
    ),
  );
  print('');
  print(
    toTable(
      ['command', 'beside', 'ratio', 'aimed at'],
      ratios.map(({ what, beside, atMost, ratio }) => [what, beside, formatRatio(ratio), `≤ ${atMost}`]),
    ),
  );
  for (const { what, atMost, ratio } of ratios)
    if (!what.endsWith('before') && ratio.value > atMost) tell(`${what}: more than ${atMost} times`);
}
