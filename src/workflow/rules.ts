import { check } from '../documents/problems.ts';
import type { Problem } from '../errors.ts';
import { joinPath } from '../json/path.ts';
import { printable, quoteValue } from '../printable.ts';
import { buildGraph, dependenciesOf, sourcesOf, testedBy, valuesOf } from './graph.ts';
import {
  findReferences,
  INPUT,
  type PlacedReference,
  parsePath,
  pathOf,
  type Reference,
} from './reference.ts';
import { ReferenceSchema, type Step, type Workflow } from './schema.ts';

const MAX_REFERENCES = 1000;

type Rule = (workflow: Workflow) => Problem[];

/** Each group presumes that the one before it found nothing. */
const RULES: readonly (readonly Rule[])[] = [
  [referencesAreWellFormed, constantsHoldNoReferences, referencesAreFew, afterNamesSteps, deadlinesFit],
  [stepsGoInNoCircle],
  [outputIsThere],
];

/** Problems of a workflow whose fields are each valid. */
export function findFaults(workflow: Workflow): Problem[] {
  for (const rules of RULES) {
    const problems = rules.flatMap((rule) => rule(workflow));
    if (problems.length > 0) return problems;
  }
  return [];
}

function referencesAreWellFormed(workflow: Workflow): Problem[] {
  const steps = Object.keys(workflow.steps);
  const templates = [
    ...eachStep(workflow, (step, at) => valuesOf(step, at)),
    ...findReferences(workflow.output, ['output']),
  ];
  const tested = eachStep(workflow, (step, at) => testedBy(step, at));
  return [
    ...templates.flatMap((placed) => shapeFaults(placed) ?? pathFaults(placed, steps)),
    ...tested.flatMap((placed) => pathFaults(placed, steps)),
  ];
}

function shapeFaults({ reference, at }: PlacedReference): Problem[] | null {
  const checked = check(ReferenceSchema, reference);
  if (checked.ok) return null;
  return checked.problems.map(({ path, message }) => ({ path: placeOf([...at, path]), message }));
}

function pathFaults({ reference: { $from }, at }: PlacedReference, steps: readonly string[]): Problem[] {
  const message = pathFault($from, steps);
  return message === null ? [] : [{ path: placeOf([...at, '$from']), message }];
}

function pathFault($from: string, steps: readonly string[]): string | null {
  const { root, keys } = parsePath($from) ?? { root: '', keys: [] };
  if (root === INPUT) return null;
  if (!steps.includes(root))
    return `expected "${INPUT}" or a step (${steps.join(', ')}), got ${quoteValue(root)}`;
  if (keys[0] === 'result' || (keys[0] === 'outcome' && keys.length === 1)) return null;
  return `expected "${root}.result", something in it, or "${root}.outcome", got ${quoteValue($from)}`;
}

function constantsHoldNoReferences(workflow: Workflow): Problem[] {
  const constants = [
    { at: ['input'], value: workflow.input },
    ...eachStep(workflow, (step, at) => [{ at: [...at, 'default'], value: step.default }]),
    ...allReferences(workflow).map(({ reference, at }) => ({
      at: [...at, 'default'],
      value: reference.default,
    })),
  ];
  return constants.flatMap(({ at, value }) =>
    [...findReferences(value, at)].map((found) => ({
      path: placeOf(found.at),
      message: 'expected a plain value: what stands in for another one holds no `$from`',
    })),
  );
}

function referencesAreFew(workflow: Workflow): Problem[] {
  const count = allReferences(workflow).length;
  if (count <= MAX_REFERENCES) return [];
  return [{ path: '', message: `expected at most ${MAX_REFERENCES} references, got ${count}` }];
}

function afterNamesSteps(workflow: Workflow): Problem[] {
  const names = Object.keys(workflow.steps);
  return eachStep(workflow, ({ after }, at) =>
    after
      .filter((other) => !names.includes(other))
      .map((other) => ({
        path: placeOf([...at, 'after']),
        message: `expected steps (${names.join(', ')}), got ${quoteValue(other)}`,
      })),
  );
}

function deadlinesFit(workflow: Workflow): Problem[] {
  const most = workflow.timeout_seconds;
  return eachStep(workflow, ({ timeout_seconds: seconds = 0 }, at) => {
    if (seconds <= most) return [];
    const message = `expected at most the ${most} s of the whole workflow, got ${seconds} s`;
    return [{ path: placeOf([...at, 'timeout_seconds']), message }];
  });
}

function stepsGoInNoCircle(workflow: Workflow): Problem[] {
  const { cycle } = buildGraph(workflow);
  return cycle === null
    ? []
    : [{ path: 'steps', message: `the steps wait for each other: ${cycle.join(' → ')}` }];
}

/** A step that lacks a value is skipped; the output cannot be. */
function outputIsThere(workflow: Workflow): Problem[] {
  const optional = stepsThatMayLack(workflow);
  return [...findReferences(workflow.output, ['output'])]
    .filter(({ reference }) => optional.has(pathOf(reference).root) && !hasStandIn(reference, workflow))
    .map(({ reference, at }) => ({
      path: placeOf(at),
      message: `expected a \`default\`: the workflow may go on without \`${pathOf(reference).root}\``,
    }));
}

/** The steps that may have no result although the workflow comes to its end. */
function stepsThatMayLack(workflow: Workflow): Set<string> {
  const optional = new Set<string>();
  const skippable = new Set<string>();
  for (const name of buildGraph(workflow).order) {
    const step = workflow.steps[name] as Step;
    const needed = dependenciesOf(step);
    const lacking = valuesOf(step).filter(({ reference }) => !hasStandIn(reference, workflow));
    if (step.on_failure === 'skip_dependents' || needed.some((each) => skippable.has(each)))
      skippable.add(name);
    if (step.when !== undefined || step.on_failure !== 'stop' || skippable.has(name)) optional.add(name);
    if (sourcesOf(lacking).some((source) => optional.has(source))) optional.add(name);
  }
  return optional;
}

/** Whether something stands for the value where its step has none. */
function hasStandIn(reference: Reference, { steps }: Workflow): boolean {
  const { root, keys } = pathOf(reference);
  const step = steps[root];
  return (
    Object.hasOwn(reference, 'default') ||
    (keys[0] === 'result' && step !== undefined && Object.hasOwn(step, 'default'))
  );
}

function allReferences(workflow: Workflow): PlacedReference[] {
  return [
    ...eachStep(workflow, (step, at) => [...valuesOf(step, at), ...testedBy(step, at)]),
    ...findReferences(workflow.output, ['output']),
  ];
}

type StepPlace = readonly ['steps', string];

function eachStep<Found>(
  { steps }: Workflow,
  look: (step: Step, at: StepPlace) => readonly Found[],
): Found[] {
  return Object.entries(steps).flatMap(([name, step]) => look(step, ['steps', name]));
}

// The keys of a template are a stranger's.
function placeOf(path: readonly PropertyKey[]): string {
  return joinPath(path.map((key) => (typeof key === 'string' ? printable(key) : key)));
}
