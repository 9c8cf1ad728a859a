import * as z from 'zod';
import { cutText } from '../events/cut-text.ts';
import { PLUGIN_EVENT_TYPES, toPluginEvent } from '../events/event.ts';

/** UTF-16 units of any text in a record; what is over it is cut off. */
const MAX_TEXT_CHARS = 2_000;

const Text = z.string().max(MAX_TEXT_CHARS);
const Time = z.iso.datetime({ precision: 3 });
const Count = z.int().min(0);

export const HashSchema = z.string().regex(/^[0-9a-f]{64}$/);
/** Stands for the record before the first one. */
export const NO_HASH = '0'.repeat(64);

/**
 * Of every record that this program writes; it grows when a member or a kind is added. What it means stands in
 * docs/reference/audit.md, for every number.
 */
export const AUDIT_VERSION = 1;

const EventSchema = z.strictObject({
  /** Absent in those of the first version of events. */
  v: z.int().min(1).optional(),
  eventType: z.enum(PLUGIN_EVENT_TYPES),
  pluginName: Text,
  version: Text.nullable(),
  digest: Text.nullable(),
  timestamp: Time,
  success: z.boolean(),
  message: Text.nullable(),
  error: Text.nullable(),
  metadata: z.record(z.string(), z.unknown()),
});

/** What an audit log is given to record. Texts of more than 2,000 characters are cut. */
export const AuditEntrySchema = z.discriminatedUnion('kind', [
  /** A process begins to write. */
  z.strictObject({ kind: z.literal('opened'), lurkbox: Text, pid: Count, policyHash: Text }),
  /** A permission was given or denied. */
  z.strictObject({
    kind: z.literal('decision'),
    plugin: Text,
    version: Text.nullable(),
    digest: Text.nullable(),
    /** `null` where it was decided for no single call, as when a plugin is loaded. */
    executionId: Text.nullable(),
    /** What was asked for, e.g. `permissions.network`. */
    rule: Text,
    allowed: z.boolean(),
    /** Of the file or the key that it is about, or `null`. */
    path: Text.nullable(),
    message: Text.nullable(),
  }),
  /** A call settled. */
  z.strictObject({
    kind: z.literal('execution'),
    executionId: Text,
    plugin: Text,
    version: Text.nullable(),
    digest: Text.nullable(),
    outcome: Text,
    /** `null` where the call never came to a grant. */
    grantHash: Text.nullable(),
    executionTimeMs: z.number().min(0),
  }),
  z.strictObject({ kind: z.literal('event'), event: EventSchema }),
]);
export type AuditEntry = Readonly<z.infer<typeof AuditEntrySchema>>;

/** Something was found when the log was about to be continued, and dealt with. */
export interface RecoveredNote {
  readonly kind: 'recovered';
  /**
   * `adopted`: whole records that the head did not know of yet, because a process ended just then. `set_aside`: bytes
   * that are no next record were moved to a file of their own, `fragment`. `cut`: a file is shorter than it was left.
   * `head_missing`: the head is gone; whether records at the end went with it cannot be known. `entries_lost`: entries
   * were dropped because the log could not be written for too long.
   */
  readonly what: 'adopted' | 'set_aside' | 'cut' | 'head_missing' | 'entries_lost';
  readonly file: string | null;
  readonly records: number | null;
  readonly bytes: number | null;
  readonly fragment: string | null;
}

/** The last: the first record of a file that follows another. */
export type AuditBody = AuditEntry | RecoveredNote | { readonly kind: 'rotated'; readonly from: string };

/**
 * What makes a line a record of the chain, whoever wrote it: a newer program has other kinds and members, and the hash
 * covers them as they stand.
 */
export const AuditRecordSchema = z.looseObject({
  /** `AUDIT_VERSION` of the program that wrote it. */
  v: z.int().min(1),
  /** Counts up from 1, without a gap. */
  seq: z.int().min(1),
  at: Time,
  /** Hash of the record before, over the borders of files; 64 zeros in the very first. */
  prev: HashSchema,
  kind: Text,
});
export type AuditRecord = Readonly<z.infer<typeof AuditRecordSchema>>;
export type AuditLink = Pick<AuditRecord, 'v' | 'seq' | 'at' | 'prev'>;

/** The entry with everything in it of a bounded size. */
export function boundEntry(entry: AuditEntry): AuditEntry {
  if (entry.kind === 'event') return { ...entry, event: toPluginEvent(entry.event, () => new Date()) };
  const members = Object.entries(entry).map(([key, value]) => [
    key,
    typeof value === 'string' ? cutText(value, MAX_TEXT_CHARS) : value,
  ]);
  return Object.fromEntries(members);
}

export function recovered(what: RecoveredNote['what'], facts: Partial<RecoveredNote> = {}): RecoveredNote {
  return { kind: 'recovered', what, file: null, records: null, bytes: null, fragment: null, ...facts };
}
