import { DURATION_PEERS, DURATIONS_MS, durationKey } from './cells/duration.ts';
import { LOADING_WAYS, type LoadingWayId } from './cells/loading.ts';
import { STAGE_PEERS } from './cells/stages.ts';
import { CALLERS, SUSTAINED_WAYS, type SustainedWay } from './cells/sustained.ts';
import { TRICKS, type TrickId } from './cells/tricks.ts';
import { formatNumber, formatRatio, toTable } from './format.ts';
import { PEERS, type PeerId } from './peers/peer.ts';
import type { CellName, Results } from './results.ts';
import type { Column } from './rounds.ts';
import { mean, median, percentile } from './statistics.ts';
import {
  burstRatio,
  columnRatio,
  rateOf,
  rateRatio,
  registeredRatio,
  reuseRate,
  tenRatio,
  warmRatio,
} from './targets.ts';

export interface Section {
  readonly title: string;
  /** What was measured, and how to read it. */
  readonly about: string;
  readonly plot?: string;
  /** Tables and remarks; only asked where the cell was measured. */
  readonly body: (results: Results) => readonly string[];
}

const TESTCONTAINERS_LIMITS =
  'testcontainers gives a container no stdin: the input travels as an argument of the command, the program is a line of ' +
  'code that loads the plugin instead of the runner, and the result is read from the log of the engine, for which the ' +
  'container has the `json-file` log driver and not `none`. Its cleaning container (Ryuk) is off. `ReadonlyRootfs`, ' +
  '`PidsLimit`, `MemorySwap` and others that it has no method for are set by a subclass.';

const MIB = 1024 * 1024;
const TIMES = ['median', 'p95', 'p99'] as const;

export const SECTIONS: Readonly<Record<CellName, Section>> = {
  cold: {
    title: 'One call by every peer',
    about:
      'Milliseconds until the answer was read and until nothing of the call was left. CPU is that of the whole machine until ' +
      'then, mean per call; of a warm call it includes the container that takes the place of the used one. Ratios are of ' +
      'medians, `docker run` = 1, with 95 % intervals from resampled rounds.',
    plot: 'cold.svg',
    body: coldBody,
  },
  warm: {
    title: 'A call that finds a container waiting',
    about:
      'Overhead: milliseconds until the result without what the plugin took by its own clock. Before each call the machine was ' +
      'quiet again.',
    plot: 'warm.svg',
    body: warmBody,
  },
  sustained: {
    title: 'Fresh containers per second',
    about:
      'Every caller calls again when it has its answer. The clock stops when nothing is left: removed containers, replaced ones ' +
      'and the pool itself included, for which lurkbox is closed inside the window. A caller of lurkbox has its answer before ' +
      'its container is gone, and calls again meanwhile; the others wait for that.',
    plot: 'sustained.svg',
    body: sustainedBody,
  },
  burst: {
    title: 'Many calls at once',
    about: 'All calls begin together, with as many containers waiting; milliseconds until the last answer.',
    body: burstBody,
  },
  ten: {
    title: 'Ten plugins on one context',
    about:
      'They sleep for 100, 200 … 1,000 ms, and a container of each waits; milliseconds until the last result.',
    body: tenBody,
  },
  duration: {
    title: 'Overhead by how long the plugin takes',
    about: 'Milliseconds until the result without what the plugin took by its own clock.',
    plot: 'duration.svg',
    body: durationBody,
  },
  memory: {
    title: 'Memory of containers that wait',
    about:
      'What the machine had less available, divided by the number of containers; beside it the shares (PSS) of single processes.',
    body: memoryBody,
  },
  queue: {
    title: 'Memory of calls that wait for a place',
    about:
      'Growth of a process with one running call and many waiting, after garbage collection, per call, payload included.',
    body: queueBody,
  },
  schemas: {
    title: 'What the schemas of a plugin cost',
    about:
      'The same call in a reused container: without a schema, with one for the input and one for the result, and with a ' +
      'pattern in both. `none before` is the version before, where `BENCH_BEFORE` names a built checkout of it.',
    body: schemasBody,
  },
  registered: {
    title: 'How many plugins are registered',
    about:
      'The same call by two orchestrators in turn, milliseconds until the result. The calls in a reused container are the ones that ' +
      'are judged: they are the shortest, and there are enough of them to tell 5 %.',
    body: registeredBody,
  },
  reuse: {
    title: 'Calls in a reused container',
    about: 'One caller, one call after the other, all in the same container.',
    body: reuseBody,
  },
  stages: {
    title: 'Where a cold call spends its time',
    about:
      'Phases are medians in milliseconds, as lurkbox tells them. CPU milliseconds per call are those of the operating system; ' +
      '“the rest” is the kernel, the shims, the OCI runtime outside of the container, the `docker` command, and whatever else ran.',
    body: stagesBody,
  },
  tricks: {
    title: 'What each trick of the cold path is worth',
    about:
      'The engine’s API and nothing of lurkbox, four callers, removal inside the window: each row does one thing otherwise. Ratios ' +
      'are to the first row.',
    body: tricksBody,
  },
  loading: {
    title: 'What each way to load a plugin is worth',
    about:
      'The engine’s API and nothing of lurkbox, one call after the other under the same hardening: milliseconds until the answer. ' +
      'Within a group, ratios are to its first row, of medians with 95 % intervals from resampled rounds.',
    body: loadingBody,
  },
};

function coldBody({ cold }: Results): string[] {
  if (cold === undefined) return [];
  const { columns } = cold;
  const head = ['', ...TIMES, 'gone: median', 'p95', 'p99', 'CPU', 'result: ratio', 'gone: ratio'];
  const rows = presentPeers(columns).map((id) => {
    const column = columns[id] as Column;
    return [
      PEERS[id],
      ...times(column.resultMs),
      ...times(column.goneMs),
      formatNumber(mean(column.cpuMs)),
      formatRatio(columnRatio(columns, 'resultMs', id, 'docker-run')),
      formatRatio(columnRatio(columns, 'goneMs', id, 'docker-run')),
    ];
  });
  return [toTable(head, rows), `Rounds: ${countOf(columns)}.`, TESTCONTAINERS_LIMITS];
}

function warmBody(results: Results): string[] {
  const { warm } = results;
  if (warm === undefined) return [];
  const { columns, callsPerRound } = warm;
  const rows = presentPeers(columns).map((id) => {
    const { overheadMs, cpuMs } = columns[id] as Column;
    return [PEERS[id], ...times(overheadMs), formatNumber(mean(cpuMs)), `${overheadMs.length}`];
  });
  const cold = columnRatio(columns, 'overheadMs', 'lurkbox-cold', 'lurkbox-warm', 1, callsPerRound);
  return [
    toTable(['', ...TIMES, 'CPU', 'calls'], rows),
    `\`docker run\` / warm: ${formatRatio(warmRatio(results))}. Cold / warm: ${formatRatio(cold)}.`,
  ];
}

function sustainedBody(results: Results): string[] {
  const windows = results.sustained?.windows ?? [];
  const head = (title: string): string[] => [title, ...CALLERS.map(callerWord)];
  const rowsOf = (show: (way: SustainedWay, callers: number) => string): string[][] =>
    Object.entries(SUSTAINED_WAYS).map(([way, title]) => [
      title,
      ...CALLERS.map((callers) => show(way as SustainedWay, callers)),
    ]);
  const perCall = (way: SustainedWay, callers: number, field: 'cpuMs' | 'warmCalls'): string => {
    const chosen = windows.filter((window) => window.way === way && window.callers === callers);
    const sum = (name: 'calls' | 'cpuMs' | 'warmCalls'): number =>
      chosen.reduce((total, window) => total + window[name], 0);
    return formatNumber(sum(field) / sum('calls'));
  };
  return [
    toTable(
      head('per second'),
      rowsOf((way, callers) => formatNumber(rateOf(results, way, callers))),
    ),
    toTable(
      head('ratio, `docker run` = 1'),
      rowsOf((way, callers) => formatRatio(rateRatio(results, way, 'docker-run', callers))),
    ),
    toTable(
      head('CPU ms per call'),
      rowsOf((way, callers) => perCall(way, callers, 'cpuMs')),
    ),
    toTable(head('share that found a container waiting'), [
      [
        SUSTAINED_WAYS['lurkbox-default'],
        ...CALLERS.map((callers) => perCall('lurkbox-default', callers, 'warmCalls')),
      ],
    ]),
  ];
}

function callerWord(callers: number): string {
  return callers === 1 ? '1 caller' : `${callers} callers`;
}

function burstBody(results: Results): string[] {
  const { burst } = results;
  if (burst === undefined) return [];
  const row = (title: string, side: typeof burst.lurkbox): string[] => [
    title,
    formatNumber(median(side.flatMap(({ lastResultMs }) => lastResultMs ?? []))),
    ...times(side.flatMap(({ callMs }) => callMs)),
    formatNumber(mean(side.map(({ cpuMs }) => cpuMs))),
    `${side.reduce((sum, { failures }) => sum + failures, 0)}`,
  ];
  const perCall = TIMES.map((name) => `each call: ${name}`);
  return [
    toTable(
      [`${burst.calls} calls`, 'last result, median', ...perCall, 'CPU per call', 'failures'],
      [row('lurkbox, warm', burst.lurkbox), row('docker run', burst.dockerRun)],
    ),
    `\`docker run\` / lurkbox: ${formatRatio(burstRatio(results))}.`,
    ...burst.reasons.map((reason) => `Failed: ${reason}`),
  ];
}

function tenBody(results: Results): string[] {
  const { ten } = results;
  if (ten === undefined) return [];
  const rows = [
    ['all ten', ...times(ten.wallMs)],
    ['the slowest by its own clock', ...times(ten.slowestMs)],
  ];
  return [
    toTable(['', ...TIMES], rows),
    `All / the slowest: ${formatRatio(tenRatio(results))}. CPU ms per plugin: ${formatNumber(mean(ten.cpuMs))}.`,
  ];
}

function durationBody({ duration }: Results): string[] {
  if (duration === undefined) return [];
  const rows = DURATION_PEERS.flatMap((id) =>
    DURATIONS_MS.map((sleepMs) => {
      const column = duration.columns[durationKey(id, sleepMs)];
      const cpu = column === undefined ? undefined : mean(column.cpuMs);
      return [`${PEERS[id]}, plugin of ${sleepMs} ms`, ...times(column?.overheadMs ?? []), formatNumber(cpu)];
    }),
  );
  return [toTable(['', ...TIMES, 'CPU'], rows)];
}

function memoryBody({ memory }: Results): string[] {
  if (memory === undefined) return [];
  const megabytes = (bytes: number | null): string => formatNumber(bytes === null ? null : bytes / MIB);
  return [
    toTable(
      [`${memory.containers} containers`, 'MB each'],
      [
        ['the machine has less available', megabytes(memory.availableBytesEach)],
        ['PSS of Node, median', megabytes(memory.nodePssBytes)],
        ['PSS of the shim, median', megabytes(memory.shimPssBytes)],
        ['growth of the orchestrator', megabytes(memory.orchestratorBytesEach)],
      ],
    ),
  ];
}

function queueBody({ queue }: Results): string[] {
  if (queue === undefined) return [];
  const kilobytes = (pick: 'heapBytes' | 'rssBytes'): string =>
    formatNumber(median(queue.batches.map((batch) => batch[pick])) / 1024);
  return [
    toTable(
      [`${queue.calls} calls waiting, payload of ${queue.payloadBytes} bytes`, 'KB per call'],
      [
        ['heap', kilobytes('heapBytes')],
        ['resident memory of the process', kilobytes('rssBytes')],
      ],
    ),
    'Resident memory grows in steps and is not given back, so that of later batches can be 0.',
  ];
}

function schemasBody({ schemas }: Results): string[] {
  if (schemas === undefined) return [];
  const rows = Object.entries(schemas.columns).map(([kind, { resultMs }]) => [
    kind,
    formatNumber(median(resultMs)),
    formatNumber(percentile(resultMs, 95)),
  ]);
  const trip = [
    'a check alone',
    formatNumber(median(schemas.tripMs)),
    formatNumber(percentile(schemas.tripMs, 95)),
  ];
  return [toTable(['', 'median ms', 'p95 ms'], [...rows, trip])];
}

function registeredBody(results: Results): string[] {
  const { registered } = results;
  if (registered === undefined) return [];
  const rows = (['kept', 'warm'] as const).flatMap((kind) =>
    (['1', 'many'] as const).map((count) => {
      const column = registered.columns[`${kind} ${count}`];
      const where = `in a ${kind} container, ${count === '1' ? '1 plugin' : `${registered.plugins} plugins`}`;
      const ratio = count === '1' ? '1.00' : formatRatio(registeredRatio(results, kind));
      return [where, ...times(column?.resultMs ?? []), formatNumber(mean(column?.cpuMs ?? [])), ratio];
    }),
  );
  return [toTable(['', ...TIMES, 'CPU', 'ratio'], rows)];
}

function reuseBody(results: Results): string[] {
  const { reuse } = results;
  if (reuse === undefined) return [];
  const rows = (['session', 'plugin'] as const).map((isolation) => {
    const windows = reuse.windows.filter((window) => window.isolation === isolation);
    const callMs = windows.flatMap((window) => window.callMs);
    const cpu = windows.reduce((sum, { cpuMs }) => sum + cpuMs, 0) / callMs.length;
    return [
      `kept for the ${isolation}`,
      formatNumber(reuseRate(results, isolation)),
      ...times(callMs),
      formatNumber(cpu),
    ];
  });
  return [toTable(['', 'calls per second', ...TIMES.map((name) => `${name}, ms`), 'CPU'], rows)];
}

const PHASES = ['queueMs', 'createMs', 'startMs', 'bootMs', 'runMs', 'teardownMs'] as const;
const COMPONENTS = {
  dockerdMs: 'dockerd',
  containerdMs: 'containerd',
  containersMs: 'containers (cgroup)',
  orchestratorMs: 'orchestrator',
  restMs: 'the rest',
  totalMs: 'the whole machine',
} as const;

function tricksBody({ tricks }: Results): string[] {
  if (tricks === undefined) return [];
  const rates = (id: TrickId): number[] =>
    tricks.windows
      .filter(({ trick }) => trick === id)
      .map(({ calls, elapsedMs }) => (calls * 1000) / elapsedMs);
  const cpus = (id: TrickId): number[] =>
    tricks.windows.filter(({ trick }) => trick === id).map(({ calls, cpuMs }) => cpuMs / calls);
  const rows = (Object.keys(TRICKS) as TrickId[]).map((id) => [
    TRICKS[id].title,
    formatNumber(median(rates(id))),
    formatNumber(median(rates(id)) / median(rates('as-is'))),
    formatNumber(median(cpus(id))),
  ]);
  return [toTable(['', 'calls per second', 'ratio', 'CPU per call'], rows)];
}

/** Each with the row that it is compared with. */
const LOADING_GROUPS: readonly (readonly LoadingWayId[])[] = [
  ['empty', 'empty-snapshot'],
  ['mjs', 'mjs-cached', 'mjs-bundle'],
  ['ts-by-node', 'ts'],
  ['zod', 'zod-cached', 'zod-bundle', 'zod-bundle-cached'],
];

function loadingBody({ loading }: Results): string[] {
  if (loading === undefined) return [];
  const { columns } = loading;
  const rows = LOADING_GROUPS.flatMap((group) =>
    group.map((id) => [
      LOADING_WAYS[id].title,
      ...times(columns[id]?.resultMs ?? []),
      formatNumber(mean(columns[id]?.cpuMs ?? [])),
      formatRatio(columnRatio(columns, 'resultMs', id, group[0] ?? id)),
    ]),
  );
  return [toTable(['', ...TIMES, 'CPU', 'ratio'], rows), `Rounds: ${countOf(columns)}.`];
}

function stagesBody({ stages }: Results): string[] {
  if (stages === undefined) return [];
  const phases = PHASES.map((phase) => [
    phase.replace('Ms', ''),
    formatNumber(median(stages.phases.flatMap((measured) => measured[phase] ?? []))),
  ]);
  const means = STAGE_PEERS.map((id) => {
    const of = (name: Exclude<keyof typeof COMPONENTS, 'restMs'>): number | null => {
      const values = stages.cpu[id].map((accounts) => accounts[name]);
      return values.includes(null) ? null : mean(values as number[]);
    };
    const parts = {
      dockerdMs: of('dockerdMs'),
      containerdMs: of('containerdMs'),
      containersMs: of('containersMs'),
      orchestratorMs: of('orchestratorMs'),
    };
    const known = Object.values(parts).reduce<number>((sum, part) => sum + (part ?? 0), 0);
    const totalMs = of('totalMs');
    return { ...parts, totalMs, restMs: totalMs === null ? null : totalMs - known };
  });
  const rows = (Object.keys(COMPONENTS) as (keyof typeof COMPONENTS)[]).map((name) => [
    COMPONENTS[name],
    ...means.map((parts) => formatNumber(parts[name])),
  ]);
  return [
    toTable(['phase', 'ms'], phases),
    toTable(['CPU ms per call', ...STAGE_PEERS.map((id) => PEERS[id])], rows),
  ];
}

function presentPeers(columns: Readonly<Record<string, Column>>): PeerId[] {
  return (Object.keys(PEERS) as PeerId[]).filter((id) => columns[id] !== undefined);
}

function times(values: readonly number[]): string[] {
  return [50, 95, 99].map((percent) => formatNumber(percentile(values, percent)));
}

function countOf(columns: Readonly<Record<string, Column>>): number {
  return Math.max(...Object.values(columns).map(({ resultMs }) => resultMs.length));
}
