import { holds, IncomparableValue } from './condition.ts';
import { findUnfit } from './fitness.ts';
import type { Step, Workflow } from './schema.ts';
import { MissingValue, type Values } from './values.ts';

/** Why a plugin is not called. */
export interface Refusal {
  readonly status: 'skipped' | 'failed';
  readonly reason: string;
}

/** What a plugin is given. */
export interface Given {
  readonly inputData: unknown;
  readonly config: Readonly<Record<string, unknown>>;
}

/** Looks at the condition of a step and fills its templates. */
export async function takeValues(step: Step, values: Values): Promise<Given | Refusal> {
  const given = fillOrRefuse(step, values);
  if ('status' in given) return given;
  const unfit = await findUnfit([given.inputData, given.config]);
  return unfit === null ? given : { status: 'failed', reason: `what it would be given ${unfit}` };
}

function fillOrRefuse({ when, input, config }: Step, values: Values): Given | Refusal {
  try {
    if (when !== undefined && !holds(when, values)) {
      return { status: 'skipped', reason: 'its condition does not hold' };
    }
    return { inputData: values.fill(input), config: values.fill(config) as Given['config'] };
  } catch (error) {
    if (error instanceof MissingValue) {
      return { status: error.isLacking ? 'skipped' : 'failed', reason: error.message };
    }
    if (error instanceof IncomparableValue) return { status: 'failed', reason: error.message };
    throw error;
  }
}

/** The output of a workflow whose steps are over, or what is wrong with it. */
export async function makeOutput(
  { output: template }: Workflow,
  values: Values,
): Promise<{ output: unknown } | { fault: string }> {
  try {
    const output = values.fill(template);
    const unfit = await findUnfit(output);
    return unfit === null ? { output } : { fault: unfit };
  } catch (error) {
    if (error instanceof MissingValue) return { fault: `cannot be made: ${error.message}` };
    throw error;
  }
}
