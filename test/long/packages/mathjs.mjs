import { all, create } from 'mathjs';

export function execute() {
  const math = create(all);
  return {
    det: math.det([
      [2, 1],
      [1, 3],
    ]),
    derivative: math.derivative('x^2 + 3x', 'x').toString(),
    length: math.evaluate('12.7 cm to inch').toNumber('inch'),
  };
}
