/** Six bytes for each letter, and in the middle one that needs two bytes in memory for all of them. */
export function execute() {
  return `${'\u0001'.repeat(1_390_000)}\u4eca${'\u0001'.repeat(1_390_000)}`;
}
