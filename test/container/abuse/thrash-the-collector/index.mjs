export function execute() {
  const kept = [];
  // As much as there is; from here on every few objects ask for a collection that finds nothing.
  for (;;) {
    kept.push({ at: kept.length, text: `${kept.length}` });
    if (kept.length > 400_000) kept.length -= 1;
  }
}
