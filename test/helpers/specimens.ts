import { createSecretKey } from 'node:crypto';
import { Readable } from 'node:stream';
import { createContext, runInContext } from 'node:vm';

/**
 * Any value of JavaScript with what docs/reference/values.md says of it: the form of each kind is stated here where the value is made,
 * and is put together as the value is. Nothing is taken from what converts.
 */
export interface Specimen {
  readonly value: unknown;
  /** The form at the caller. `NO_FIELD`: a field that holds it is left out. */
  readonly form: unknown;
  /** Where something is told of, seen from the value: `.a[0]`. One for each warning. */
  readonly warned: readonly string[];
  /** Of what cannot cross. Not empty: the call fails, at one of these. */
  readonly refused: readonly string[];
  /** `lost`: a function or a symbol. */
  readonly kind: 'data' | 'nothing' | 'lost';
  /** Whether the language itself waits for it. */
  readonly isLater: boolean;
}

/** Made when it is used: looking at some values throws, and iterators are used up. */
export type Make = () => Specimen;

export const NONE: readonly string[] = [];

export function data(value: unknown, form: unknown = value, warned = NONE, refused = NONE): Specimen {
  return { value, form, warned, refused, kind: 'data', isLater: false };
}

const crosses =
  (make: () => unknown, form: unknown): Make =>
  () =>
    data(make(), form);
const isTold =
  (make: () => unknown, form: unknown): Make =>
  () =>
    data(make(), form, ['']);
const isRefused =
  (make: () => unknown, at = ''): Make =>
  () =>
    data(make(), null, NONE, [at]);
const isLost =
  (make: () => unknown): Make =>
  () => ({ ...data(make(), null, ['']), kind: 'lost' });

export class Point {
  readonly x = 1;
  readonly #y = 2;
  get sum(): number {
    return this.x + this.#y;
  }
}

class Closed {
  readonly #inner = 1;
  get inner(): number {
    return this.#inner;
  }
}

class Price {
  toJSON(): string {
    return '19.99';
  }
}

class TimeoutError extends Error {
  override readonly name = 'TimeoutError';
  readonly retries = 3;
}

const ELSEWHERE = createContext({});
const elsewhere = (source: string) => () => runInContext(source, ELSEWHERE) as unknown;
const bytes = () => new Uint8Array([1, 2, 3]);
const fails = (): never => {
  throw new Error('not today');
};

/** An object with a field of that name, which makes no promise of it. */
export function withThen(then: unknown): object {
  return Object.fromEntries([['then', then]]);
}

function argumentsOf(..._: unknown[]): unknown {
  // biome-ignore lint/complexity/noArguments: an object of this kind is what is wanted
  return arguments;
}

function circle(): unknown {
  const list: unknown[] = [];
  list[0] = { back: list };
  return list;
}

function detached(): ArrayBuffer {
  const buffer = new ArrayBuffer(8);
  structuredClone(buffer, { transfer: [buffer] });
  return buffer;
}

function revoked(target: object): object {
  const { proxy, revoke } = Proxy.revocable(target, {});
  revoke();
  return proxy;
}

function form(...entries: [string, string][]): FormData {
  const data = new FormData();
  for (const [name, value] of entries) data.append(name, value);
  return data;
}

export const PLAIN: Make[] = [
  ...[null, true, false, 0, -1.5e-7, 1e21, 2 ** 53 - 1, '', 'text', '\ud800 half', '\u0000"\\\u2028'].map(
    (value) => crosses(() => value, value),
  ),
  crosses(() => -0, 0),
  crosses(() => 42n, 42),
  crosses(() => new Date(0), '1970-01-01T00:00:00.000Z'),
  crosses(() => Buffer.from('hello'), 'aGVsbG8='),
  ...[Uint8Array, Int8Array, Uint8ClampedArray].map((Bytes) => crosses(() => new Bytes([1, 2, 3]), 'AQID')),
  crosses(() => new Float64Array([1]), 'AAAAAAAA8D8='),
  crosses(() => new BigInt64Array([1n]), 'AQAAAAAAAAA='),
  crosses(() => bytes().subarray(1, 2), 'Ag=='),
  crosses(() => bytes().buffer, 'AQID'),
  crosses(() => new DataView(bytes().buffer, 1), 'AgM='),
  crosses(() => new ArrayBuffer(3, { maxByteLength: 9 }), 'AAAA'),
  crosses(() => new SharedArrayBuffer(3), 'AAAA'),
  crosses(() => new Blob(['hello']), 'aGVsbG8='),
  crosses(() => new File(['hello'], 'a.txt'), 'aGVsbG8='),
  crosses(() => new URL('https://example.org/a?b=1'), 'https://example.org/a?b=1'),
  crosses(() => new URLSearchParams({ a: '1' }), 'a=1'),
  crosses(() => /a\/b/gi, '/a\\/b/gi'),
  crosses(() => new Headers({ a: '1' }), { a: '1' }),
  crosses(() => form(['a', '1'], ['b', '2'], ['a', '3']), { a: ['1', '3'], b: '2' }),
  ...[new String('a'), new Number(1), new Boolean(false)].map((boxed) =>
    crosses(() => boxed, boxed.valueOf()),
  ),
  crosses(() => new TypeError('no'), { name: 'TypeError', message: 'no' }),
  crosses(() => new TimeoutError('late'), { name: 'TimeoutError', message: 'late', retries: 3 }),
  crosses(() => new DOMException('gone', 'AbortError'), { name: 'AbortError', message: 'gone', code: 20 }),
  crosses(() => new Point(), { x: 1 }),
  crosses(() => new Price(), '19.99'),
  crosses(() => Object.freeze({ a: Object.freeze([1]) }), { a: [1] }),
  crosses(() => Object.assign(Object.create(null), { a: 1 }), { a: 1 }),
  crosses(() => argumentsOf('a', 1), { 0: 'a', 1: 1 }),
  crosses(() => new Proxy({ a: 1 }, {}), { a: 1 }),
  crosses(() => new Proxy([1], {}), [1]),
  crosses(elsewhere('({ a: [1, new Map([["b", 2]])] })'), { a: [1, { b: 2 }] }),
  crosses(elsewhere('new RangeError("far")'), { name: 'RangeError', message: 'far' }),
  crosses(() => withThen(1), withThen(1)),
];

/** May be there twice, which is no circle. */
export const SHARED = [...PLAIN];
PLAIN.push(crosses(() => [1, 2][Symbol.iterator](), [1, 2]));

export const TOLD: readonly Make[] = [
  ...[Number.NaN, Infinity, -Infinity].map((value) => isTold(() => value, null)),
  isTold(() => new Date(Number.NaN), null),
  isTold(() => 2n ** 70n, '1180591620717411303424'),
  isTold(() => -(10n ** 400n), `-1${'0'.repeat(400)}`),
  isTold(() => Object(Symbol('s')), null),
  isTold(() => new Closed(), {}),
  isTold(() => new WeakRef({}), {}),
  isTold(() => new Intl.NumberFormat('en'), {}),
  isTold(() => createSecretKey(bytes()), {}),
  isTold(() => Object.assign([1], { index: 0 }), [1]),
  isTold(() => ({ a: 1, [Symbol('s')]: 2 }), { a: 1 }),
  isTold(() => ({ toJSON: () => undefined }), null),
  isLost(() => fails),
  isLost(() => class {}),
  isLost(() => Symbol('s')),
];

export const REFUSED: readonly Make[] = [
  isRefused(() => new Response('x')),
  isRefused(() => new Request('https://example.org')),
  isRefused(() => new Blob(['x']).stream()),
  isRefused(() => Readable.from(['x'])),
  isRefused(() => new WeakMap()),
  isRefused(() => new WeakSet()),
  isRefused(detached),
  isRefused(() => structuredCloneOf(bytes())),
  isRefused(() => revoked({})),
  isRefused(() => revoked([])),
  isRefused(circle, '[0].back'),
  isRefused(() => Object.defineProperty({}, 'a', { enumerable: true, get: fails }), '.a'),
  isRefused(() => ({ toJSON: fails })),
  isRefused(() => new Proxy({ a: 1 }, { ownKeys: fails })),
  isRefused(() => new Proxy({ a: 1 }, { getOwnPropertyDescriptor: fails }), '.a'),
];

/** A view of bytes that somebody else has now. */
function structuredCloneOf(view: Uint8Array): Uint8Array {
  structuredClone(view, { transfer: [view.buffer as ArrayBuffer] });
  return view;
}

export const nothing: Make = () => ({ ...data(undefined, null, ['']), kind: 'nothing' });
