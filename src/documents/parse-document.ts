import { type JsonLimits, parseJson } from '../json/reader.ts';
import { type Checked, toJsonProblems } from './problems.ts';

/** A `plugin.json` or a policy is written by hand; a larger one is a mistake or an attack. */
export const MAX_DOCUMENT_BYTES = 256 * 1024;

const BYTE_ORDER_MARK = Buffer.from([0xef, 0xbb, 0xbf]);

/** Bytes of a JSON document that a person wrote → its value, or every problem that makes it no JSON. */
export function parseDocument(bytes: Buffer, limits?: JsonLimits): Checked<unknown> {
  if (bytes.subarray(0, 3).equals(BYTE_ORDER_MARK)) {
    return failed('begins with a byte order mark; save it as UTF-8 without one');
  }
  const text = decode(bytes);
  if (text === null) return failed('is not valid UTF-8; save it in that encoding');
  const reading = parseJson(text, limits);
  return reading.ok ? reading : { ok: false, problems: toJsonProblems(reading.faults) };
}

function decode(bytes: Buffer): string | null {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return null;
  }
}

function failed(message: string): Checked<never> {
  return { ok: false, problems: [{ path: '', message }] };
}
