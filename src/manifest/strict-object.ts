import { z } from 'zod';

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

function closest(key: string, known: readonly string[]): string | undefined {
  if (key.length > LONGEST_COMPARED) return undefined;
  const ranked = known
    .map((name) => ({ name, distance: editDistance(plain(key), plain(name)) }))
    .sort((a, b) => a.distance - b.distance);
  const best = ranked[0];
  return best !== undefined && best.distance <= Math.min(2, best.name.length / 2) ? best.name : undefined;
}

/** A longer key is no typo, and the distance takes quadratic time. */
const LONGEST_COMPARED = 40;

// `entryPoint`, `Entry-Point` and `entry_point` mean the same key.
function plain(key: string): string {
  return key.toLowerCase().replaceAll(/[_-]/g, '');
}

/** How many letters must be put in, taken out or replaced to make one word into the other. */
function editDistance(from: string, to: string): number {
  let row = Array.from({ length: to.length + 1 }, (_, index) => index);
  for (const [at, letter] of [...from].entries()) {
    const next = [at + 1];
    for (let column = 1; column <= to.length; column++) {
      const replaced = row[column - 1]! + (letter === to[column - 1] ? 0 : 1);
      next.push(Math.min(replaced, row[column]! + 1, next[column - 1]! + 1));
    }
    row = next;
  }
  return row[to.length]!;
}
