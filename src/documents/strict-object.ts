import * as z from 'zod';
import { closest } from '../closest.ts';

/** An object that a person writes: an unknown key is an error that names the key it was probably meant to be. */
export function strictObject<Shape extends z.core.$ZodLooseShape>(shape: Shape) {
  return z.strictObject(shape, {
    error: (issue) =>
      issue.code === 'unrecognized_keys'
        ? unknownKeyMessages(issue.keys, Object.keys(shape)).join('\n')
        : `expected an object with ${listKeys(Object.keys(shape))}`,
  });
}

const SHOWN_KEYS = 4;

/** One message per unknown key, in the same order. zod has room for one text only: they travel as lines of it. */
function unknownKeyMessages(keys: readonly string[], known: readonly string[]): string[] {
  return keys.map((key) => {
    const meant = closest(key, known);
    return meant === undefined
      ? `unknown key; known here: ${listNames(known)}`
      : `unknown key; did you mean \`${meant}\`?`;
  });
}

function listKeys(keys: readonly string[]): string {
  const shown = keys.slice(0, SHOWN_KEYS);
  return `${shown.length === 1 ? 'the key' : 'keys such as'} ${listNames(shown)}`;
}

function listNames(names: readonly string[]): string {
  return names.map((name) => `\`${name}\``).join(', ');
}
