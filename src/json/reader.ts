/**
 * Strict JSON for bytes that somebody else wrote. `JSON.parse` keeps the last of two equal keys, so that two readers of
 * one document can see two different requests; here a duplicate key is a fault, and so are a `__proto__` key, nesting
 * that is too deep and an integer that would become another one. And `JSON.parse` stops for nobody before the end,
 * however long that takes; this can be done in steps.
 */
import { quoteValue } from '../printable.ts';

export interface JsonFault {
  readonly reason:
    | 'syntax'
    | 'too_deep'
    | 'too_many'
    | 'too_long'
    | 'duplicate_key'
    | 'forbidden_key'
    | 'inexact_number';
  /** Dotted path of the fault; empty for the document itself. */
  readonly path: string;
  readonly message: string;
}

export type JsonReading =
  | { readonly ok: true; readonly value: unknown }
  | { readonly ok: false; readonly faults: readonly JsonFault[] };

export interface JsonLimits {
  readonly maxDepth?: number;
  /** Values of every kind count, lists and objects too. */
  readonly maxValues?: number;
  /** Whether the key `__proto__` is data like any other, as it is where nobody means it to be read by a person. @default false */
  readonly allowsProto?: boolean;
  /** Where a number that another one comes near is rounded, by its dotted path; else it is a fault. @default nowhere */
  readonly rounds?: RegExp;
}

export const DEFAULT_MAX_JSON_DEPTH = 64;

const NOWHERE = /(?!)/;

/** Enough to correct a file; more would only be noise. */
const MAX_FAULTS = 20;
/** `JSON.stringify` writes numbers of up to 25, and a number cannot be read in steps. */
const MAX_NUMBER_CHARS = 1_000;
/** Of a text, or of blanks. A key has to be read in one step: whoever stores under it works on all of it at once. */
const BYTES_PER_STEP = 16 * 1024;
/** Of the path of a number that may be rounded. */
const MAX_ROUNDED_PATH_CHARS = 2_000;
/** In the path of what is too deep. */
const MAX_SHOWN_KEYS = 8;

/** Parses strict JSON. Never throws; every duplicate or forbidden key is reported, not only the first. */
export function parseJson(text: string, limits?: JsonLimits): JsonReading {
  return new JsonReader(Buffer.from(text), limits).read();
}

/** A list or an object that is not closed yet. */
interface Frame {
  readonly list: unknown[] | null;
  readonly members: Record<string, unknown> | null;
  /** The key that was read last. */
  key: string;
}

/** What comes next, in the words of a message. */
const EXPECTED = {
  value: 'a value',
  firstValue: 'a value or `]`',
  key: 'a key in double quotes',
  firstKey: 'a key in double quotes or `}`',
  colon: '`:`',
  comma: '`,` or the end of what is open',
  text: 'the rest of a text',
  keyText: 'the rest of a key',
  end: 'nothing more',
} as const;
type Next = keyof typeof EXPECTED;

/** Reads one document in as many steps as the caller likes; each of them takes microseconds. */
export class JsonReader {
  readonly #bytes: Buffer;
  readonly #limits: Required<JsonLimits>;
  readonly #frames: Frame[] = [];
  readonly #faults: JsonFault[] = [];
  #next: Next = 'value';
  #at = 0;
  #line = 1;
  #lineStart = 0;
  #values = 0;
  /** What was read of a text that takes more than one step. */
  #text = '';
  #root: unknown;
  #reading: JsonReading | null = null;

  /** The bytes have to be UTF-8. */
  constructor(bytes: Buffer, limits: JsonLimits = {}) {
    this.#bytes = bytes;
    this.#limits = {
      maxDepth: DEFAULT_MAX_JSON_DEPTH,
      maxValues: Number.POSITIVE_INFINITY,
      allowsProto: false,
      rounds: NOWHERE,
      ...limits,
    };
  }

  /** Reads on for at most that many steps; answers null while there is more to read. */
  read(): JsonReading;
  read(steps: number): JsonReading | null;
  read(steps = Number.POSITIVE_INFINITY): JsonReading | null {
    for (let step = 0; step < steps && this.#reading === null; step++) this.#next = this.#step();
    return this.#reading;
  }

  #step(): Next {
    if (this.#next === 'text' || this.#next === 'keyText') return this.#readText(this.#next);
    if (!this.#skipBlanks()) return this.#next;
    const byte = this.#bytes[this.#at];
    switch (this.#next) {
      case 'firstValue':
        return byte === 0x5d ? this.#close() : this.#readValue(byte);
      case 'value':
        return this.#readValue(byte);
      case 'firstKey':
        return byte === 0x7d ? this.#close() : this.#pass(byte === 0x22, 'keyText');
      case 'key':
        return this.#pass(byte === 0x22, 'keyText');
      case 'colon':
        return this.#pass(byte === 0x3a, 'value');
      case 'comma':
        return this.#goOn(byte);
      case 'end':
        return this.#end(byte);
    }
  }

  /** Answers whether something else comes, as far as one step can see. */
  #skipBlanks(): boolean {
    const until = this.#at + BYTES_PER_STEP;
    for (; this.#at < until; this.#at++) {
      const byte = this.#bytes[this.#at];
      if (byte === 0x0a) {
        this.#line++;
        this.#lineStart = this.#at + 1;
      } else if (byte !== 0x20 && byte !== 0x0d && byte !== 0x09) return true;
    }
    return false;
  }

  #pass(isExpected: boolean, next: Next): Next {
    if (!isExpected) return this.#refuseSyntax();
    this.#at++;
    return next;
  }

  #readValue(byte: number | undefined): Next {
    const { maxValues } = this.#limits;
    if (++this.#values > maxValues) return this.#refuse('too_many', '', `more than ${maxValues} values`);
    switch (byte) {
      case 0x22:
        return this.#pass(true, 'text');
      case 0x5b:
        return this.#open({ list: [], members: null, key: '' }, 'firstValue');
      case 0x7b:
        return this.#open({ list: null, members: {}, key: '' }, 'firstKey');
      case 0x74:
        return this.#readWord('true', true);
      case 0x66:
        return this.#readWord('false', false);
      case 0x6e:
        return this.#readWord('null', null);
      default:
        return this.#readNumber();
    }
  }

  #open(frame: Frame, next: 'firstValue' | 'firstKey'): Next {
    this.#frames.push(frame);
    const { maxDepth } = this.#limits;
    if (this.#frames.length <= maxDepth) return this.#pass(true, next);
    const path = pathOf(this.#frames.slice(0, MAX_SHOWN_KEYS));
    return this.#refuse('too_deep', path, `nested deeper than ${maxDepth} levels`);
  }

  #goOn(byte: number | undefined): Next {
    const { list } = this.#frames.at(-1) as Frame;
    if (byte === (list === null ? 0x7d : 0x5d)) return this.#close();
    return this.#pass(byte === 0x2c, list === null ? 'key' : 'value');
  }

  #close(): Next {
    const { list, members } = this.#frames.pop() as Frame;
    this.#at++;
    // A list that grew has room for more; its copy has not.
    return this.#take(list === null ? members : list.slice());
  }

  #take(value: unknown): Next {
    const frame = this.#frames.at(-1);
    if (frame === undefined) {
      this.#root = value;
      return 'end';
    }
    if (frame.members === null) frame.list?.push(value);
    else setOwn(frame.members, frame.key, value);
    return 'comma';
  }

  #end(byte: number | undefined): Next {
    if (byte !== undefined) return this.#refuseSyntax();
    const faults = this.#faults;
    this.#reading = faults.length === 0 ? { ok: true, value: this.#root } : { ok: false, faults };
    return 'end';
  }

  #readWord(word: string, value: boolean | null): Next {
    for (let index = 0; index < word.length; index++) {
      if (this.#bytes[this.#at + index] !== word.charCodeAt(index)) return this.#refuseSyntax();
    }
    this.#at += word.length;
    return this.#take(value);
  }

  #readNumber(): Next {
    let end = this.#at;
    while (isOfNumber(this.#bytes[end]) && end - this.#at <= MAX_NUMBER_CHARS) end++;
    if (end - this.#at > MAX_NUMBER_CHARS) {
      return this.#refuse(
        'too_long',
        pathOf(this.#frames),
        `a number of more than ${MAX_NUMBER_CHARS} characters`,
      );
    }
    const text = this.#bytes.toString('latin1', this.#at, end);
    if (!NUMBER.test(text)) return this.#refuseSyntax();
    this.#at = end;
    const value = Number(text);
    if (isAnother(text, value) && !(Number.isFinite(value) && this.#mayRound()))
      this.#note('inexact_number', `a number cannot hold this; send it as text: ${quoteValue(text)}`);
    return this.#take(value);
  }

  /** A path that is longer than any that a person wrote is not looked at anew for each of a thousand numbers. */
  #mayRound(): boolean {
    const path = pathOf(this.#frames);
    return path.length <= MAX_ROUNDED_PATH_CHARS && this.#limits.rounds.test(path);
  }

  /** The next piece of a text, most often all of it. */
  #readText(kind: 'text' | 'keyText'): Next {
    const bytes = this.#bytes;
    const until = Math.min(this.#at + BYTES_PER_STEP, bytes.length);
    let end = this.#at;
    let isAscii = true;
    let isEscaped = false;
    for (; end < until; end++) {
      const byte = bytes[end] as number;
      if (byte === 0x22 || byte < 0x20) break;
      if (byte >= 0x80) isAscii = false;
      else if (byte === 0x5c) {
        isEscaped = true;
        // No piece ends inside an escape …
        end += bytes[end + 1] === 0x75 ? 5 : 1;
      }
    }
    const isWhole = end < until;
    // … or inside a character.
    while (!isWhole && ((bytes[end] ?? 0) & 0xc0) === 0x80) end++;
    const piece = decode(bytes.toString(isAscii ? 'latin1' : 'utf8', this.#at, end), isEscaped);
    if (piece === null) return this.#refuseSyntax('escapes that JSON has');
    if (!isWhole && kind === 'keyText' && end < bytes.length) {
      return this.#refuse('too_long', '', `a key of more than ${BYTES_PER_STEP} bytes`);
    }
    this.#at = end;
    this.#text = this.#text === '' ? piece : this.#text + piece;
    if (!isWhole && end < bytes.length) return kind;
    return bytes[end] === 0x22 ? this.#endText(kind) : this.#refuseSyntax();
  }

  #endText(kind: 'text' | 'keyText'): Next {
    const text = this.#text;
    this.#text = '';
    this.#at++;
    return kind === 'text' ? this.#take(text) : this.#takeKey(text);
  }

  #takeKey(key: string): Next {
    const frame = this.#frames.at(-1) as Frame;
    frame.key = key;
    if (key === '__proto__' && !this.#limits.allowsProto)
      this.#note('forbidden_key', 'the key `__proto__` is not allowed');
    else if (Object.hasOwn(frame.members as object, key)) {
      this.#note('duplicate_key', 'the key stands here twice; keep one of them');
    }
    return 'colon';
  }

  #note(reason: JsonFault['reason'], message: string): void {
    this.#faults.push({ reason, path: pathOf(this.#frames), message });
    if (this.#faults.length === MAX_FAULTS) this.#reading = { ok: false, faults: this.#faults };
  }

  #refuse(reason: JsonFault['reason'], path: string, message: string): Next {
    this.#reading = { ok: false, faults: [...this.#faults, { reason, path, message }] };
    return 'end';
  }

  // Then only this fault is reported: the text may not mean what the reader took it for.
  #refuseSyntax(expected: string = EXPECTED[this.#next]): Next {
    const message = this.#describeSyntax(expected);
    this.#reading = { ok: false, faults: [{ reason: 'syntax', path: '', message }] };
    return 'end';
  }

  /** What people write who think of JavaScript. */
  #hint(got: string | undefined): string | null {
    const next = this.#next;
    if (got === '/' || got === '#') return 'JSON has no comments';
    if (got === "'") return 'texts and keys stand in double quotes';
    const isAfterComma = (next === 'key' && got === '}') || (next === 'value' && got === ']');
    return isAfterComma ? 'take away the comma before it' : null;
  }

  #describeSyntax(expected: string): string {
    const [got] = this.#bytes.toString('utf8', this.#at, this.#at + 4);
    if (got === undefined && this.#next === 'value' && this.#frames.length === 0) {
      return 'expected JSON, got nothing';
    }
    const column = this.#bytes.toString('utf8', this.#lineStart, this.#at).length + 1;
    const place = `line ${this.#line} column ${column}`;
    const hint = this.#hint(got);
    return `not valid JSON: expected ${expected}, got ${got === undefined ? 'the end' : quoteValue(got)} (${place})${hint === null ? '' : `; ${hint}`}`;
  }
}

const NUMBER = /^-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?$/;

/**
 * Whether a number that is written is another one than the one that is read. Fractions are rounded, as everywhere; an integer is
 * not, nor does anything become zero or infinite. What JavaScript writes for a large number is that number.
 */
function isAnother(text: string, value: number): boolean {
  if (value === 0) return /^-?[0.]*[1-9]/.test(text);
  if (Math.abs(value) <= Number.MAX_SAFE_INTEGER) return false;
  if (!Number.isFinite(value)) return true;
  const written = toDecimal(text);
  if (written.exponent < 0) return false;
  const read = toDecimal(String(value));
  if (written.digits === read.digits && written.exponent === read.exponent) return false;
  return BigInt(written.digits) * 10n ** BigInt(written.exponent) !== BigInt(Math.abs(value));
}

/** `-12.50e3` → `125` and 2. */
function toDecimal(text: string): { readonly digits: string; readonly exponent: number } {
  const [mantissa = '', power = '0'] = text.toLowerCase().split('e');
  const [whole = '', fraction = ''] = mantissa.replace('-', '').split('.');
  const all = whole + fraction;
  let [start, end] = [0, all.length];
  while (start < end && all[start] === '0') start++;
  while (end > start && all[end - 1] === '0') end--;
  return { digits: all.slice(start, end), exponent: Number(power) - fraction.length + all.length - end };
}

function isOfNumber(byte = 0): boolean {
  if (byte >= 0x30 && byte <= 0x39) return true;
  return byte === 0x2d || byte === 0x2b || byte === 0x2e || byte === 0x65 || byte === 0x45;
}

function decode(text: string, isEscaped: boolean): string | null {
  if (!isEscaped) return text;
  try {
    return JSON.parse(`"${text}"`) as string;
  } catch {
    return null;
  }
}

// As `JSON.parse` does it: whatever every object has is only another key.
function setOwn(members: Record<string, unknown>, key: string, value: unknown): void {
  if (key in Object.prototype) {
    Object.defineProperty(members, key, { value, writable: true, enumerable: true, configurable: true });
  } else members[key] = value;
}

function pathOf(frames: readonly Frame[]): string {
  return joinPath(frames.map(({ list, key }) => (list === null ? key : list.length)));
}

/** `['a', 0, 'b']` → `a[0].b`. */
export function joinPath(segments: readonly PropertyKey[]): string {
  return segments.reduce<string>((path, segment) => {
    if (typeof segment === 'number') return `${path}[${segment}]`;
    return path === '' ? String(segment) : `${path}.${String(segment)}`;
  }, '');
}
