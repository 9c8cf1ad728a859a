import { type DependencyOrder, orderOf } from './order.ts';
import { findReferences, INPUT, isReference, type PlacedReference, pathOf } from './reference.ts';
import type { Condition, Step, Workflow } from './schema.ts';

/** Which step waits for which. */
export interface Graph extends DependencyOrder {
  readonly dependencies: ReadonlyMap<string, readonly string[]>;
  readonly dependents: ReadonlyMap<string, readonly string[]>;
}

/** For a workflow whose references are well formed and name steps that exist. */
export function buildGraph({ steps }: Workflow): Graph {
  const dependencies = new Map(Object.entries(steps).map(([name, step]) => [name, dependenciesOf(step)]));
  const names = [...dependencies.keys()];
  const dependents = new Map(
    names.map((name) => [name, names.filter((other) => dependencies.get(other)?.includes(name))]),
  );
  return { dependencies, dependents, ...orderOf(dependencies) };
}

/** The steps that have to be over before this one. */
export function dependenciesOf(step: Step): string[] {
  return [...new Set([...step.after, ...sourcesOf([...valuesOf(step), ...testedBy(step)])])];
}

/** The steps that references take from. */
export function sourcesOf(references: readonly PlacedReference[]): string[] {
  const roots = references.map(({ reference }) => pathOf(reference).root);
  return [...new Set(roots)].filter((root) => root !== INPUT);
}

/** What a step hands to its plugin. */
export function valuesOf({ input, config }: Step, at: readonly PropertyKey[] = []): PlacedReference[] {
  return [...findReferences(input, [...at, 'input']), ...findReferences(config, [...at, 'config'])];
}

/** What the condition of a step looks at. */
export function testedBy({ when }: Step, at: readonly PropertyKey[] = []): PlacedReference[] {
  return when === undefined ? [] : [...tested(when, [...at, 'when'])];
}

function* tested(condition: Condition, at: readonly PropertyKey[]): Generator<PlacedReference> {
  if (isReference(condition)) yield { reference: condition, at };
  const { equals, not_equals, in: among = [], greater_than, less_than, all = [], any = [], not } = condition;
  const operands = { equals, not_equals, in: among, greater_than, less_than };
  for (const [test, operand] of Object.entries(operands)) yield* findReferences(operand, [...at, test]);
  for (const [index, inner] of all.entries()) yield* tested(inner, [...at, 'all', index]);
  for (const [index, inner] of any.entries()) yield* tested(inner, [...at, 'any', index]);
  if (not !== undefined) yield* tested(not, [...at, 'not']);
}
