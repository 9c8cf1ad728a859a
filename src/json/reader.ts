/**
 * Strict JSON for bytes that somebody else wrote. `JSON.parse` keeps the last of two equal keys, so that two readers of
 * one document can see two different requests; here a duplicate key is a fault, and so are a `__proto__` key, nesting
 * that is too deep and an integer that would become another one. And `JSON.parse` stops for nobody before the end,
 * however long that takes; this can be done in steps.
 */
import { quoteValue } from '../printable.ts';
import { type Frame, pathOf, setOwn } from './frame.ts';
import { endOfNumber, isAnother, MAX_NUMBER_CHARS, NUMBER } from './number.ts';
import { describeSyntax, EXPECTED, type Next } from './syntax.ts';
import { BYTES_PER_STEP, readPiece } from './text.ts';

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
/** Of the path of a number that may be rounded. */
const MAX_ROUNDED_PATH_CHARS = 2_000;
/** In the path of what is too deep. */
const MAX_SHOWN_KEYS = 8;

/** Parses strict JSON. Never throws; every duplicate or forbidden key is reported, not only the first. */
export function parseJson(text: string, limits?: JsonLimits): JsonReading {
  return new JsonReader(Buffer.from(text), limits).read();
}

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
    const end = endOfNumber(this.#bytes, this.#at);
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
    const { piece, end, isWhole } = readPiece(bytes, this.#at);
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
    const place = {
      bytes: this.#bytes,
      at: this.#at,
      line: this.#line,
      lineStart: this.#lineStart,
      next: this.#next,
      isOutermost: this.#frames.length === 0,
    };
    const message = describeSyntax(place, expected);
    this.#reading = { ok: false, faults: [{ reason: 'syntax', path: '', message }] };
    return 'end';
  }
}
