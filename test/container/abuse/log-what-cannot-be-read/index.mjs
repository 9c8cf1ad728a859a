import { tryAll } from './attempt.mjs';

const refuse = () => {
  throw new Error('refused');
};

export async function execute(_context, host) {
  const proxy = new Proxy({}, { get: refuse, ownKeys: refuse, getPrototypeOf: refuse, has: refuse });
  return tryAll({
    proxy: () => console.log(proxy),
    inspected: () => console.log({ [Symbol.for('nodejs.util.inspect.custom')]: refuse }),
    converted: () => host.log('info', { toString: refuse }),
    symbol: () => host.log('info', Symbol('s')),
    formatted: () => console.log('%s %d %j', { toString: refuse }, { valueOf: refuse }, { toJSON: refuse }),
    nothing: () => host.log(),
    level: () => host.log({ toString: refuse }, 'x'),
  });
}
