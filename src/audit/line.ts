import { createHash } from 'node:crypto';
import { canonicalJson } from '../json/canonical.ts';
import { parseJson } from '../json/reader.ts';
import { type AuditBody, type AuditLink, type AuditRecord, AuditRecordSchema, HashSchema } from './record.ts';

/** Of one line; the largest record, all of whose characters have to be escaped, is smaller. */
export const MAX_LINE_BYTES = 128 * 1024;

export interface WrittenLine {
  /** With its line feed. */
  readonly text: string;
  readonly hash: string;
}

/** One record as a line: the canonical JSON of all but the hash, and the hash of exactly that as its last member. */
export function toLine(link: AuditLink, body: AuditBody): WrittenLine {
  return withHash({ ...link, ...body });
}

function withHash(record: object): WrittenLine {
  const text = canonicalJson(record);
  const hash = createHash('sha256').update(text).digest('hex');
  return { text: `${text.slice(0, -1)},"hash":"${hash}"}\n`, hash };
}

export interface ReadRecord {
  readonly ok: true;
  readonly record: AuditRecord;
  /** As the line says it. */
  readonly hash: string;
  /** Whether the line is, to the byte, what its hash was made of. */
  readonly intact: boolean;
}

type LineReading = ReadRecord | { readonly ok: false; readonly fault: string };

/** Reads a line, without its line feed, that anybody may have written. Never throws. */
export function readLine(bytes: Buffer): LineReading {
  const parsed = parseJson(bytes.toString());
  if (!parsed.ok || typeof parsed.value !== 'object' || parsed.value === null || Array.isArray(parsed.value))
    return { ok: false, fault: 'it is no JSON object' };
  const { hash, ...members } = parsed.value as Record<string, unknown>;
  const record = AuditRecordSchema.safeParse(members);
  const claimed = HashSchema.safeParse(hash);
  if (!record.success || !claimed.success) return { ok: false, fault: 'it has not the members of a record' };
  const due = withHash(members);
  const intact = due.hash === claimed.data && bytes.equals(Buffer.from(due.text.slice(0, -1)));
  return { ok: true, record: record.data, hash: claimed.data, intact };
}
