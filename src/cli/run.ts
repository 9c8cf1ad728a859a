import { formatPluginResults, type PluginExecutionResult } from '../index.ts';
import { escapeControls } from '../printable.ts';
import { EXIT } from './exit.ts';
import { readContext } from './input.ts';
import { interruption } from './interruption.ts';
import {
  cutLines,
  formatBytes,
  formatMs,
  formatTable,
  paint,
  print,
  printJson,
  quoteLines,
  toWarning,
} from './output.ts';
import { type CommonOptions, withNamed } from './workspace.ts';

export interface RunOptions extends CommonOptions {
  readonly context?: string;
  readonly input?: string;
  readonly timeout?: number;
  readonly prompt?: boolean;
}

type Results = Readonly<Record<string, PluginExecutionResult>>;

export async function run(named: readonly string[], options: RunOptions): Promise<number> {
  const context = await readContext(options);
  return withNamed(options, named, async (lurkbox, plugins) => {
    const names = plugins.map(({ reference }) => reference);
    const limits = options.timeout === undefined ? {} : { timeoutMs: options.timeout * 1000 };
    for (const name of names) lurkbox.plugins.validateCall(name, context, limits);
    const signal = interruption();
    // Builds fail here and not as outcomes: the person at the command can correct a dependency, and nothing has run yet.
    for (const name of names)
      if (lurkbox.plugins.isCallable(name)) await lurkbox.plugins.prepare(name, { signal, forCall: true });
    const results = await lurkbox.plugins.executePlugins(context, {
      names,
      signal,
      waitForRemoval: true,
      ...limits,
    });
    show(results, options);
    return Object.values(results).every(({ success }) => success) ? EXIT.ok : EXIT.failed;
  });
}

function show(results: Results, { json, prompt }: RunOptions): void {
  if (json) printJson({ results });
  else if (prompt) print(formatPluginResults(results));
  else showResults(results);
}

function showResults(results: Results): void {
  for (const [name, result] of Object.entries(results)) print(`${describe(name, result)}\n`);
  print(formatPhases(results));
}

function describe(name: string, result: PluginExecutionResult): string {
  const head = result.success ? paint('green', '✔') : paint('red', '✖');
  const body = result.success ? toLines(result.result) : describeFailure(result);
  const logs = result.logs.map(({ level, message }) => paint('dim', `${level}: ${escapeControls(message)}`));
  const warnings = result.warnings.map(toWarning);
  const hint = result.error?.hint ?? null;
  const hints = hint === null ? [] : [paint('yellow', `hint: ${escapeControls(hint)}`)];
  const title = `${head} ${paint('bold', name)} ${result.version ?? ''} ${result.outcome}`;
  return [title, ...cutLines([...body, ...hints, ...logs, ...warnings])].join('\n  ');
}

function toLines(result: unknown): string[] {
  return (JSON.stringify(result, null, 2) ?? 'nothing').split('\n').map(escapeControls);
}

function describeFailure({ error }: PluginExecutionResult): string[] {
  // Before these a stack repeats the message.
  const where = error?.stack?.split('\n').filter((line) => /^\s+at /.test(line)) ?? [];
  return [...quoteLines(error?.message ?? ''), ...where.slice(0, 5).map(escapeControls)];
}

/** Where the time went and what was used, a line per plugin. */
export function formatPhases(results: Results): string {
  const head = [
    'plugin',
    'outcome',
    'total',
    'queue',
    'create',
    'start',
    'boot',
    'run',
    'teardown',
    'peak memory',
    'CPU',
  ];
  const rows = Object.entries(results).map(([name, { outcome, executionTimeMs, phases, usage }]) => [
    name,
    paint(outcome === 'OK' ? 'green' : 'red', outcome),
    formatMs(executionTimeMs),
    ...[phases.queueMs, phases.createMs, phases.startMs, phases.bootMs, phases.runMs, phases.teardownMs].map(
      formatMs,
    ),
    formatBytes(usage.peakMemoryBytes),
    formatMs(usage.cpuTimeMs),
  ]);
  return formatTable(head, rows);
}
