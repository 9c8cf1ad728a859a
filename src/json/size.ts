/**
 * Takes the least that a value needs as JSON off `bytes`, and answers what is left; below 0 the value needs more. A large
 * value is looked at no further than that, and nothing of it is written.
 */
export function spend(value: unknown, bytes: number): number {
  if (typeof value === 'string') return bytes - value.length - 2;
  let left = bytes - 1;
  if (typeof value !== 'object' || value === null) return left;
  if (Array.isArray(value)) {
    for (let index = 0; index < value.length && left >= 0; index++) left = spend(value[index], left);
    return left;
  }
  const keys = Object.keys(value);
  for (let index = 0; index < keys.length && left >= 0; index++) {
    const key = keys[index] as string;
    const member = (value as Record<string, unknown>)[key];
    // What is not there is not written.
    if (member !== undefined) left = spend(member, left - key.length - 3);
  }
  return left;
}
