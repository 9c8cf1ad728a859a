export function execute() {
  let nested = {};
  for (let depth = 0; depth < 1000; depth++) nested = { n: nested };
  return nested;
}
