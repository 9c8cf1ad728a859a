/** A longer word is no typo, and the distance takes quadratic time. */
const LONGEST_COMPARED = 40;

/** The word that was probably meant, for a "did you mean". */
export function closest(word: string, known: Iterable<string>): string | undefined {
  if (word.length > LONGEST_COMPARED) return undefined;
  const ranked = Array.from(known, (name) => ({
    name,
    distance: editDistance(plain(word), plain(name)),
  })).sort((a, b) => a.distance - b.distance);
  const best = ranked[0];
  return best !== undefined && best.distance <= Math.min(2, best.name.length / 2) ? best.name : undefined;
}

// `entryPoint`, `Entry-Point` and `entry_point` mean the same key.
function plain(word: string): string {
  return word.toLowerCase().replaceAll(/[_-]/g, '');
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
