import {
  buildWorkflowGraph,
  type ExecutionContextOptions,
  type Lurkbox,
  loadWorkflow,
  runWorkflow,
  type StepResult,
  type Workflow,
  type WorkflowResult,
} from '../index.ts';
import { escapeControls } from '../printable.ts';
import { EXIT } from './exit.ts';
import { readContext } from './input.ts';
import { interruption } from './interruption.ts';
import { cutLines, formatMs, formatTable, paint, print, printJson, quoteLines, toWarning } from './output.ts';
import { WorkflowView } from './workflow-view.ts';
import { type CommonOptions, withNamed } from './workspace.ts';

export interface WorkflowRunOptions extends CommonOptions {
  readonly context?: string;
  readonly input?: string;
}

/** Runs the workflow of a file, and shows on stderr how far it is. */
export async function workflowRun(file: string, options: WorkflowRunOptions): Promise<number> {
  const workflow = await loadWorkflow(file);
  const context = await readContext(options);
  const names = Object.keys(workflow.steps);
  // A container can wait for every step but the first, which runs meanwhile.
  const warmth = { maxWarm: names.length - 1 };
  return withNamed(
    options,
    pluginsOf(workflow),
    async (lurkbox, _plugins, progress) => {
      validateCalls(lurkbox, workflow, context);
      const signal = interruption();
      // As for `run`: builds fail here and not as outcomes.
      for (const plugin of pluginsOf(workflow)) await lurkbox.plugins.prepare(plugin, { signal });
      progress.end();
      const result = await runShown(names, (onProgress) =>
        runWorkflow(workflow, { plugins: lurkbox.plugins, context, signal, onProgress }),
      );
      if (options.json) printJson(result);
      else show(workflow, result);
      return result.success ? EXIT.ok : EXIT.failed;
    },
    warmth,
  );
}

async function runShown<Result>(
  names: readonly string[],
  run: (onProgress: WorkflowView['show']) => Promise<Result>,
): Promise<Result> {
  using view = new WorkflowView(names);
  return await run((progress) => view.show(progress));
}

/** Reads a workflow, and whether its plugins are there and may have the time that it gives them. Needs no engine. */
export async function workflowCheck(file: string, options: CommonOptions): Promise<number> {
  const workflow = await loadWorkflow(file);
  return withNamed(options, pluginsOf(workflow), async (lurkbox) => {
    validateCalls(lurkbox, workflow, {});
    const { dependencies } = buildWorkflowGraph(workflow);
    const steps = Object.entries(workflow.steps).map(([step, { plugin }]) => ({
      step,
      plugin,
      waitsFor: dependencies.get(step) ?? [],
    }));
    if (options.json) printJson({ workflow: workflow.name, steps });
    else {
      const rows = steps.map(({ step, plugin, waitsFor }) => [
        step,
        plugin,
        waitsFor.join(', ') || 'nothing',
      ]);
      print(formatTable(['step', 'plugin', 'waits for'], rows));
    }
    return EXIT.ok;
  });
}

function validateCalls(lurkbox: Lurkbox, workflow: Workflow, context: ExecutionContextOptions): void {
  for (const { plugin, timeout_seconds: seconds } of Object.values(workflow.steps)) {
    lurkbox.plugins.validateCall(plugin, context, seconds === undefined ? {} : { timeoutMs: seconds * 1000 });
  }
}

function pluginsOf({ steps }: Workflow): string[] {
  return [...new Set(Object.values(steps).map(({ plugin }) => plugin))];
}

function show(workflow: Workflow, result: WorkflowResult): void {
  const { success, outcome, executionTimeMs, reason, output, warnings } = result;
  const mark = success ? paint('green', '✔') : paint('red', '✖');
  const body = success
    ? JSON.stringify(output, null, 2).split('\n').map(escapeControls)
    : quoteLines(reason ?? '');
  const lines = [...body, ...warnings.map(toWarning)];
  const title = `${mark} ${paint('bold', workflow.name)} ${outcome} in ${formatMs(executionTimeMs)}`;
  print([title, ...cutLines(lines)].join('\n  '));
  const rows = Object.entries(result.steps).map(([name, step]) =>
    toRow(name, workflow.steps[name]?.plugin ?? '', step),
  );
  print(`\n${formatTable(['step', 'plugin', 'status', 'from', 'to', 'why'], rows)}`);
}

const MAX_REASON_CHARS = 100;

function toRow(name: string, plugin: string, { status, reason, startedMs, endedMs }: StepResult): string[] {
  const why = escapeControls(reason ?? '');
  return [
    name,
    plugin,
    paint(status === 'done' ? 'green' : status === 'failed' ? 'red' : 'dim', status),
    formatMs(startedMs),
    formatMs(endedMs),
    why.length > MAX_REASON_CHARS ? `${why.slice(0, MAX_REASON_CHARS)}…` : why,
  ];
}
