import { quoteValue } from '../printable.ts';
import { isReference, type Reference } from './reference.ts';
import type { Condition } from './schema.ts';
import type { Values } from './values.ts';

/** A condition compares what cannot be compared. */
export class IncomparableValue extends Error {}

/** Whether a condition holds. @throws MissingValue, IncomparableValue */
export function holds(condition: Condition, values: Values): boolean {
  if (condition.all !== undefined) return condition.all.every((inner) => holds(inner, values));
  if (condition.any !== undefined) return condition.any.some((inner) => holds(inner, values));
  if (condition.not !== undefined) return !holds(condition.not, values);
  const reference = condition as Reference;
  if (condition.exists !== undefined) return values.has(reference) === condition.exists;
  const scalarOf = (operand: unknown) => toScalar(operand, values);
  const numberOf = (operand: unknown) => toNumber(operand, values);
  if (condition.equals !== undefined) return scalarOf(reference) === scalarOf(condition.equals);
  if (condition.not_equals !== undefined) return scalarOf(reference) !== scalarOf(condition.not_equals);
  if (condition.greater_than !== undefined) return numberOf(reference) > numberOf(condition.greater_than);
  if (condition.less_than !== undefined) return numberOf(reference) < numberOf(condition.less_than);
  const tested = scalarOf(reference);
  return (condition.in ?? []).some((operand) => scalarOf(operand) === tested);
}

/** Lists and objects are not compared: that takes as long as a stranger likes. */
function toScalar(operand: unknown, values: Values): unknown {
  const value = isReference(operand) ? values.take(operand) : operand;
  if (typeof value !== 'object' || value === null) return value;
  throw new IncomparableValue(
    `expected ${name(operand)} to be a text, a number, true, false or null, got ${quoteValue(value)}`,
  );
}

function toNumber(operand: unknown, values: Values): number {
  const value = isReference(operand) ? values.take(operand) : operand;
  if (typeof value === 'number') return value;
  throw new IncomparableValue(`expected ${name(operand)} to be a number, got ${quoteValue(value)}`);
}

function name(operand: unknown): string {
  return isReference(operand) ? `\`${operand.$from}\`` : quoteValue(operand);
}
