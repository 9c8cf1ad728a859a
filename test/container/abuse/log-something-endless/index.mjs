import { inspect } from 'node:util';

export function execute() {
  const circle = { name: 'circle' };
  circle.self = circle;
  let deep = 'bottom';
  for (let depth = 0; depth < 10_000; depth++) deep = { deep };
  console.log(circle, deep, new Array(1_000_000).fill(0), 'x'.repeat(20_000));
  inspect.defaultOptions.maxArrayLength = 100_000;
  console.dir(new Array(100_000).fill('y'));
  for (let index = 0; index < 2000; index++) console.group();
  console.log('indented');
  return 'logged';
}
