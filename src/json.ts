/**
 * Strict JSON for bytes that somebody else wrote. `JSON.parse` keeps the last of two equal keys, so that two readers of
 * one document can see two different requests; here a duplicate key is a fault, and so are a `__proto__` key and
 * nesting that is too deep, which is checked before anything is built from the text.
 */

export interface JsonFault {
  readonly reason: 'syntax' | 'too_deep' | 'too_many' | 'duplicate_key' | 'forbidden_key';
  /** Dotted path of the fault; empty for the document itself. */
  readonly path: string;
  readonly message: string;
}

export type JsonReading =
  | { readonly ok: true; readonly value: unknown }
  | { readonly ok: false; readonly faults: readonly JsonFault[] };

export const DEFAULT_MAX_JSON_DEPTH = 64;

/** Enough to mend a file by; the rest would only be noise. */
const MAX_FAULTS = 20;

/** Parses strict JSON. Never throws; every duplicate or forbidden key is reported, not only the first. */
export function parseJson(
  text: string,
  { maxDepth = DEFAULT_MAX_JSON_DEPTH, maxValues = Number.POSITIVE_INFINITY } = {},
): JsonReading {
  const faults = scan(text, { maxDepth, maxValues });
  // A scan that ended early cannot vouch for the rest, so nothing is built from it.
  const ended = faults.some(({ reason }) => reason === 'too_deep' || reason === 'too_many');
  if (ended || faults.length >= MAX_FAULTS) return { ok: false, faults };
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    return { ok: false, faults: [{ reason: 'syntax', path: '', message: syntaxMessage(text, error) }] };
  }
  return faults.length > 0 ? { ok: false, faults } : { ok: true, value };
}

type Frame = { keys: Set<string>; key: string; expectsKey: boolean } | { index: number };

// Reads the text as if it were valid JSON: what is not valid is left for JSON.parse to refuse.
function scan(text: string, { maxDepth, maxValues }: { maxDepth: number; maxValues: number }): JsonFault[] {
  const faults: JsonFault[] = [];
  const frames: Frame[] = [];
  let commas = 0;
  for (let at = 0; at < text.length && faults.length < MAX_FAULTS; at++) {
    const frame = frames.at(-1);
    switch (text.charCodeAt(at)) {
      case 0x22: {
        const end = endOfString(text, at);
        if (frame !== undefined && 'keys' in frame && frame.expectsKey) {
          readKey(text.slice(at, end + 1), frame, frames, faults);
        }
        at = end;
        break;
      }
      case 0x7b: // {
        frames.push({ keys: new Set(), key: '', expectsKey: true });
        break;
      case 0x5b: // [
        frames.push({ index: 0 });
        break;
      case 0x7d: // }
      case 0x5d: // ]
        frames.pop();
        break;
      case 0x2c: // ,
        if (++commas >= maxValues) {
          faults.push({ reason: 'too_many', path: '', message: `more than ${maxValues} values` });
          return faults;
        }
        if (frame === undefined) break;
        if ('keys' in frame) frame.expectsKey = true;
        else frame.index++;
        break;
    }
    if (frames.length > maxDepth) {
      faults.push({
        reason: 'too_deep',
        path: pathOf(frames.slice(0, 8)),
        message: `nested deeper than ${maxDepth} levels`,
      });
      return faults;
    }
  }
  return faults;
}

function endOfString(text: string, start: number): number {
  for (let at = text.indexOf('"', start + 1); at !== -1; at = text.indexOf('"', at + 1)) {
    let backslashes = 0;
    while (text.charCodeAt(at - 1 - backslashes) === 0x5c) backslashes++;
    if (backslashes % 2 === 0) return at;
  }
  return text.length;
}

function readKey(
  literal: string,
  frame: Extract<Frame, { keys: Set<string> }>,
  frames: Frame[],
  faults: JsonFault[],
): void {
  frame.key = decodeKey(literal);
  frame.expectsKey = false;
  // The path only where there is a fault: it takes longer than the key.
  if (frame.key === '__proto__') {
    faults.push({
      reason: 'forbidden_key',
      path: pathOf(frames),
      message: 'the key `__proto__` is not allowed',
    });
  }
  if (frame.keys.has(frame.key)) {
    faults.push({
      reason: 'duplicate_key',
      path: pathOf(frames),
      message: 'the key stands here twice; keep one of them',
    });
  }
  frame.keys.add(frame.key);
}

// `"\u005f_proto__"` and `"__proto__"` are the same key.
function decodeKey(literal: string): string {
  if (!literal.includes('\\')) return literal.slice(1, -1);
  try {
    return String(JSON.parse(literal));
  } catch {
    return literal;
  }
}

function pathOf(frames: readonly Frame[]): string {
  return joinPath(frames.map((frame) => ('keys' in frame ? frame.key : frame.index)));
}

/** `['a', 0, 'b']` → `a[0].b`. */
export function joinPath(segments: readonly PropertyKey[]): string {
  return segments.reduce<string>((path, segment) => {
    if (typeof segment === 'number') return `${path}[${segment}]`;
    return path === '' ? String(segment) : `${path}.${String(segment)}`;
  }, '');
}

function syntaxMessage(text: string, error: unknown): string {
  if (text.trim() === '') return 'expected JSON, got nothing';
  const detail = error instanceof Error ? error.message : String(error);
  const position = /at position (\d+)/.exec(detail)?.[1];
  if (position === undefined || /line \d+ column \d+/.test(detail)) return `not valid JSON: ${detail}`;
  const before = text.slice(0, Number(position)).split('\n');
  return `not valid JSON: ${detail} (line ${before.length} column ${(before.at(-1)?.length ?? 0) + 1})`;
}
