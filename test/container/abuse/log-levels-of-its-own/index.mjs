export function execute(_context, host) {
  for (const level of ['fatal', '__proto__', 'constructor', '', 'ERROR']) host.log(level, `at ${level}`);
  console.assert(false, 'not so');
  console.trace('traced');
  return 'logged';
}
