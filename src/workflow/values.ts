import { INPUT, isReference, type Path, pathOf, type Reference } from './reference.ts';
import type { StepResult } from './result.ts';
import type { Step } from './schema.ts';

/** A value that a step needs is not there. */
export class MissingValue extends Error {
  /** Whether that is because its step was skipped or failed, and not because its plugin answered without it. */
  readonly isLacking: boolean;

  constructor(message: string, isLacking: boolean) {
    super(message);
    this.isLacking = isLacking;
  }
}

type Found = { readonly value: unknown } | { readonly missing: MissingValue };

/** What references can take from: the input, and the steps that are over. */
export class Values {
  readonly #input: unknown;
  readonly #steps: Readonly<Record<string, Step>>;
  readonly #results: ReadonlyMap<string, StepResult>;

  constructor(
    input: unknown,
    steps: Readonly<Record<string, Step>>,
    results: ReadonlyMap<string, StepResult>,
  ) {
    this.#input = input;
    this.#steps = steps;
    this.#results = results;
  }

  /** A template with its references replaced. @throws MissingValue */
  fill(template: unknown): unknown {
    if (isReference(template)) return this.take(template);
    if (Array.isArray(template)) return template.map((item) => this.fill(item));
    if (typeof template !== 'object' || template === null) return template;
    return Object.fromEntries(Object.entries(template).map(([key, member]) => [key, this.fill(member)]));
  }

  /** @throws MissingValue */
  take(reference: Reference): unknown {
    const found = this.#find(reference);
    if ('value' in found) return found.value;
    if (Object.hasOwn(reference, 'default')) return reference.default;
    throw found.missing;
  }

  has(reference: Reference): boolean {
    return 'value' in this.#find(reference);
  }

  #find(reference: Reference): Found {
    const { root, keys } = pathOf(reference);
    if (root === INPUT) return walk(this.#input, keys, reference);
    const step = this.#steps[root] as Step;
    const settled = this.#results.get(root);
    const [field, ...rest] = keys;
    if (field === 'outcome') {
      return settled?.result ? { value: settled.result.outcome } : lacks(reference, root, settled);
    }
    if (settled?.status === 'done') return walk(settled.result?.result, rest, reference);
    if (Object.hasOwn(step, 'default')) return walk(step.default, rest, reference);
    return lacks(reference, root, settled);
  }
}

/** Own members only: what every object or list inherits is no data. */
function walk(value: unknown, keys: Path['keys'], { $from }: Reference): Found {
  let at = value;
  for (const key of keys) {
    const isInside =
      typeof at === 'object' &&
      at !== null &&
      Array.isArray(at) === (typeof key === 'number') &&
      Object.hasOwn(at, key);
    if (!isInside) return { missing: new MissingValue(`\`${$from}\` is not there`, false) };
    at = (at as Record<string | number, unknown>)[key];
  }
  return { value: at };
}

function lacks({ $from }: Reference, step: string, settled: StepResult | undefined): Found {
  const why = settled?.status === 'failed' ? 'failed' : 'was skipped';
  return { missing: new MissingValue(`\`${$from}\` is not there: \`${step}\` ${why}`, true) };
}
