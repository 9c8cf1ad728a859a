import { RUNNER_ERRORS } from '../protocol/messages.ts';
import { quote } from './channel.ts';
import { reflectGet, slice, toStringOf } from './primordials.ts';

/** Long enough for any honest message; the host cuts again by its own limits. */
const MAX_NAME_CHARS = 200;
const MAX_MESSAGE_CHARS = 4_000;
const MAX_STACK_CHARS = 16_000;

/** A thrown value, whatever it is, as the `error` object of a response. Never throws: a value may lie in every getter. */
export function describeFailure(code: keyof typeof RUNNER_ERRORS, thrown: unknown): string {
  const name = readText(thrown, 'name', MAX_NAME_CHARS) ?? '';
  const message = readText(thrown, 'message', MAX_MESSAGE_CHARS) ?? toText(thrown);
  const stack = readText(thrown, 'stack', MAX_STACK_CHARS) ?? '';
  const data = `{"name":${quote(name)},"stack":${quote(stack)}}`;
  return `{"code":${RUNNER_ERRORS[code]},"message":${quote(message)},"data":${data}}`;
}

function readText(thrown: unknown, property: string, maxChars: number): string | null {
  try {
    if (typeof thrown !== 'object' || thrown === null) return null;
    const value: unknown = reflectGet(thrown, property);
    return typeof value === 'string' ? slice(value, 0, maxChars) : null;
  } catch {
    return null;
  }
}

function toText(thrown: unknown): string {
  try {
    return slice(`a thrown ${typeof thrown}: ${toStringOf(thrown)}`, 0, MAX_MESSAGE_CHARS);
  } catch {
    return 'a thrown value that cannot be read';
  }
}
