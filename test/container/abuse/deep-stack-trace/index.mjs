Error.stackTraceLimit = Number.POSITIVE_INFINITY;

export function execute(depth = 0) {
  if (depth !== 5000) return execute(Number.isInteger(depth) ? depth + 1 : 0) + 1;
  throw new Error('at the bottom');
}
