import type { SustainedWay } from './cells/sustained.ts';
import type { Results } from './results.ts';
import type { Column } from './rounds.ts';
import { median, percentile, type Ratio, ratioOfMedians } from './statistics.ts';

export interface Target {
  /** By which an explanation is found. */
  readonly id: string;
  readonly title: string;
  readonly unit: string;
  readonly bound: 'at most' | 'at least';
  readonly limit: number;
  /** `undefined` where it was not measured. */
  readonly measure: (results: Results) => number | undefined;
}

export interface Judged extends Target {
  readonly value: number | undefined;
  readonly verdict: 'met' | 'not met' | 'not measured';
}

const TARGET_CALLERS = 4;
const MIB = 1024 * 1024;
const KIB = 1024;

const TARGETS: readonly Target[] = [
  {
    id: 'warm-median',
    title: 'Overhead of a warm call, median',
    unit: 'ms',
    bound: 'at most',
    limit: 3,
    measure: ({ warm }) => ofColumn(warm?.columns['lurkbox-warm'], ({ overheadMs }) => median(overheadMs)),
  },
  {
    id: 'warm-p99',
    title: 'Overhead of a warm call, p99',
    unit: 'ms',
    bound: 'at most',
    limit: 10,
    measure: ({ warm }) =>
      ofColumn(warm?.columns['lurkbox-warm'], ({ overheadMs }) => percentile(overheadMs, 99)),
  },
  {
    id: 'warm-ratio',
    title: '`docker run` / warm call, overhead, medians',
    unit: '×',
    bound: 'at least',
    limit: 100,
    measure: (results) => warmRatio(results)?.value,
  },
  {
    id: 'cold-ratio',
    title: 'Cold call / `docker run`, until the result, medians',
    unit: '×',
    bound: 'at most',
    limit: 0.45,
    measure: ({ cold }) => columnRatio(cold?.columns, 'resultMs', 'lurkbox-cold', 'docker-run')?.value,
  },
  {
    id: 'sustained-docker-run',
    title: `Fresh containers per second, ${TARGET_CALLERS} callers, / \`docker run\``,
    unit: '×',
    bound: 'at least',
    limit: 2.2,
    measure: (results) => rateRatio(results, 'lurkbox-default', 'docker-run', TARGET_CALLERS)?.value,
  },
  {
    id: 'sustained-runc',
    title: `Fresh containers per second, ${TARGET_CALLERS} callers, / \`runc run\``,
    unit: '×',
    bound: 'at least',
    limit: 0.5,
    measure: (results) => rateRatio(results, 'lurkbox-default', 'runc', TARGET_CALLERS)?.value,
  },
  {
    id: 'burst-ratio',
    title: 'Burst: `docker run` / lurkbox, until the last result, medians',
    unit: '×',
    bound: 'at least',
    limit: 20,
    measure: (results) => burstRatio(results)?.value,
  },
  {
    id: 'burst-failures',
    title: 'Burst: failures of lurkbox',
    unit: '',
    bound: 'at most',
    limit: 0,
    measure: ({ burst }) => burst?.lurkbox.reduce((sum, { failures }) => sum + failures, 0),
  },
  {
    id: 'ten-ratio',
    title: 'Ten plugins at once / the slowest of them, medians',
    unit: '×',
    bound: 'at most',
    limit: 1.05,
    measure: (results) => tenRatio(results)?.value,
  },
  {
    id: 'waiting-memory',
    title: 'Memory of a container that waits',
    unit: 'MB',
    bound: 'at most',
    limit: 20,
    measure: ({ memory }) => (memory === undefined ? undefined : memory.availableBytesEach / MIB),
  },
  {
    id: 'queued-memory',
    title: 'Heap of a call that waits for a place, beyond its payload',
    unit: 'KB',
    bound: 'at most',
    limit: 10,
    measure: ({ queue }) =>
      queue === undefined
        ? undefined
        : (median(queue.batches.map(({ heapBytes }) => heapBytes)) - queue.payloadBytes) / KIB,
  },
  {
    id: 'session-rate',
    title: 'Calls per second in one container kept for a session',
    unit: '/s',
    bound: 'at least',
    limit: 500,
    measure: (results) => reuseRate(results, 'session'),
  },
  {
    id: 'plugin-rate',
    title: 'Calls per second in one container kept for the plugin',
    unit: '/s',
    bound: 'at least',
    limit: 500,
    measure: (results) => reuseRate(results, 'plugin'),
  },
  {
    id: 'schemas-none',
    title: 'Median call without a schema / the version before',
    unit: '×',
    bound: 'at most',
    limit: 1.02,
    measure: ({ schemas }) => columnRatio(schemas?.columns, 'resultMs', 'none', 'none before')?.value,
  },
  {
    id: 'schemas-patterns',
    title: 'Median call with patterns in its schemas, beyond one without a schema',
    unit: 'ms',
    bound: 'at most',
    limit: 2,
    measure: ({ schemas }) => schemaCostMs(schemas?.columns),
  },
  {
    id: 'schemas-trip',
    title: 'Check of a value in a process of its own, median',
    unit: 'ms',
    bound: 'at most',
    limit: 0.3,
    measure: ({ schemas }) => (schemas === undefined ? undefined : median(schemas.tripMs)),
  },
  {
    id: 'registered',
    title: 'Median call with 1,000 plugins registered / with one',
    unit: '×',
    bound: 'at most',
    limit: 1.05,
    measure: (results) => registeredRatio(results, 'kept')?.value,
  },
];

export function judge(results: Results): Judged[] {
  return TARGETS.map((target) => {
    const value = target.measure(results);
    if (value === undefined || !Number.isFinite(value))
      return { ...target, value: undefined, verdict: 'not measured' };
    const isMet = target.bound === 'at most' ? value <= target.limit : value >= target.limit;
    return { ...target, value, verdict: isMet ? 'met' : 'not met' };
  });
}

/** Fresh containers per second, removal included: median of the windows. */
export function rateOf(results: Results, way: SustainedWay, callers: number): number | undefined {
  const rates = ratesOf(results, way, callers);
  return rates.length === 0 ? undefined : median(rates);
}

export function rateRatio(
  results: Results,
  above: SustainedWay,
  below: SustainedWay,
  callers: number,
): Ratio | undefined {
  const [top, bottom] = [ratesOf(results, above, callers), ratesOf(results, below, callers)];
  if (top.length === 0 || bottom.length === 0) return undefined;
  return ratioOfMedians(toRounds(top, 1), toRounds(bottom, 1));
}

function ratesOf({ sustained }: Results, way: SustainedWay, callers: number): number[] {
  const windows = sustained?.windows ?? [];
  return windows
    .filter((window) => window.way === way && window.callers === callers)
    .map(({ calls, elapsedMs }) => (calls / elapsedMs) * 1000);
}

export function reuseRate({ reuse }: Results, isolation: 'session' | 'plugin'): number | undefined {
  const windows = reuse?.windows.filter((window) => window.isolation === isolation) ?? [];
  if (windows.length === 0) return undefined;
  return median(windows.map(({ calls, elapsedMs }) => (calls / elapsedMs) * 1000));
}

export function warmRatio({ warm }: Results): Ratio | undefined {
  if (warm === undefined) return undefined;
  return columnRatio(warm.columns, 'overheadMs', 'docker-run', 'lurkbox-warm', 1, warm.callsPerRound);
}

function schemaCostMs(columns: Readonly<Record<string, Column>> | undefined): number | undefined {
  const [none, patterns] = ['none', 'patterns'].map((kind) => columns?.[kind]?.resultMs);
  return none === undefined || patterns === undefined ? undefined : median(patterns) - median(none);
}

export function registeredRatio({ registered }: Results, kind: 'kept' | 'warm'): Ratio | undefined {
  if (registered === undefined) return undefined;
  const calls = registered.callsPerRound[kind];
  return columnRatio(registered.columns, 'resultMs', `${kind} many`, `${kind} 1`, calls, calls);
}

export function burstRatio({ burst }: Results): Ratio | undefined {
  const times = (side: readonly { lastResultMs: number | null }[] = []) =>
    side.map(({ lastResultMs }) => (lastResultMs === null ? [] : [lastResultMs]));
  const [top, bottom] = [times(burst?.dockerRun), times(burst?.lurkbox)];
  return top.flat().length === 0 || bottom.flat().length === 0 ? undefined : ratioOfMedians(top, bottom);
}

export function tenRatio({ ten }: Results): Ratio | undefined {
  if (ten === undefined) return undefined;
  return ratioOfMedians(toRounds(ten.wallMs, 1), toRounds(ten.slowestMs, 1));
}

/** Of medians of two columns; `aboveCalls` and `belowCalls` are how many values each round gave. */
export function columnRatio(
  columns: Readonly<Record<string, Column>> | undefined,
  field: keyof Column,
  above: string,
  below: string,
  aboveCalls = 1,
  belowCalls = 1,
): Ratio | undefined {
  const [top, bottom] = [columns?.[above]?.[field] ?? [], columns?.[below]?.[field] ?? []];
  if (top.length === 0 || bottom.length === 0) return undefined;
  return ratioOfMedians(toRounds(top, aboveCalls), toRounds(bottom, belowCalls));
}

function toRounds(values: readonly number[], calls: number): number[][] {
  return Array.from({ length: Math.floor(values.length / calls) }, (_, round) =>
    values.slice(round * calls, (round + 1) * calls),
  );
}

function ofColumn(column: Column | undefined, measure: (column: Column) => number): number | undefined {
  return column === undefined ? undefined : measure(column);
}
