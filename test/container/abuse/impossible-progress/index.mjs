import { tryAll } from './attempt.mjs';

export function execute(_context, host) {
  return tryAll({
    none: () => host.progress(Number.NaN),
    over: () => host.progress(1.1),
    text: () => host.progress('0.5'),
    endless: () => host.progress(Number.POSITIVE_INFINITY),
    object: () => host.progress({ valueOf: () => 0.5 }),
    words: () => host.progress(0.5, { toString: () => '\u001e\n"' }),
    zero: () => host.progress(-0),
  });
}
