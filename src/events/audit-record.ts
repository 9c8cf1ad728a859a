import { z } from 'zod';
import { cutText } from './cut-text.ts';
import { PLUGIN_EVENT_TYPES, toPluginEvent } from './event.ts';

/** UTF-16 units of any text in a record; what is over it is cut off. */
const MAX_TEXT_CHARS = 2_000;

const Text = z.string().max(MAX_TEXT_CHARS);
const Time = z.iso.datetime({ precision: 3 });
const Count = z.int().min(0);
const Hash = z.string().regex(/^[0-9a-f]{64}$/);

const Event = z.strictObject({
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

/** What is told to an audit log. Texts of more than 2,000 characters are cut. */
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
  z.strictObject({ kind: z.literal('event'), event: Event }),
]);
export type AuditEntry = Readonly<z.infer<typeof AuditEntrySchema>>;

/** What an audit log has to say of itself. */
const NoteSchema = z.discriminatedUnion('kind', [
  /** The first record of a file that follows another. */
  z.strictObject({ kind: z.literal('rotated'), from: Text }),
  /** Something was found when the log was about to be continued, and dealt with. */
  z.strictObject({
    kind: z.literal('recovered'),
    what: z.enum([
      /** Whole records that the head did not know of yet: a process ended just then. */
      'adopted',
      /** Bytes that are no next record were moved to a file of their own, `fragment`. */
      'set_aside',
      /** A file is shorter than it was left. */
      'cut',
      /** The head is gone; whether records at the end went with it cannot be known. */
      'head_missing',
      /** Entries were dropped because the log could not be written for too long. */
      'entries_lost',
    ]),
    file: Text.nullable(),
    records: Count.nullable(),
    bytes: Count.nullable(),
    fragment: Text.nullable(),
  }),
]);
export type AuditNote = Readonly<z.infer<typeof NoteSchema>>;
export type RecoveredNote = Extract<AuditNote, { kind: 'recovered' }>;

export type AuditBody = AuditEntry | AuditNote;
export const AuditBodySchema = z.union([AuditEntrySchema, NoteSchema]);

/** What makes a record a link of the chain. */
export const AuditLinkSchema = z.strictObject({
  v: z.literal(1),
  /** Counts up from 1, without a gap. */
  seq: z.int().min(1),
  at: Time,
  /** Hash of the record before, over the borders of files; 64 zeros in the very first. */
  prev: Hash,
});
export type AuditLink = Readonly<z.infer<typeof AuditLinkSchema>>;

export const HashSchema = Hash;
/** Stands for the record before the first one. */
export const NO_HASH = '0'.repeat(64);

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
