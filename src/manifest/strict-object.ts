import { z } from 'zod';
import { closest } from '../closest.ts';

/** An object that a person writes: an unknown key is an error that names the key it was probably meant to be. */
export function strictObject<Shape extends z.core.$ZodLooseShape>(shape: Shape) {
  return z.strictObject(shape, {
    error: (issue) =>
      issue.code === 'unrecognized_keys'
        ? unknownKeyMessages(issue.keys, Object.keys(shape)).join('\n')
        : 'expected an object',
  });
}

/** One message per unknown key, in the same order. zod has room for one text only: they travel as lines of it. */
function unknownKeyMessages(keys: readonly string[], known: readonly string[]): string[] {
  return keys.map((key) => {
    const meant = closest(key, known);
    return meant === undefined
      ? `unknown key; known here: ${known.map((name) => `\`${name}\``).join(', ')}`
      : `unknown key; did you mean \`${meant}\`?`;
  });
}
