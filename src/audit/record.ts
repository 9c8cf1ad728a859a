import { z } from 'zod';
import { cutText } from '../events/cut-text.ts';
import { PLUGIN_EVENT_TYPES, type PluginEventType, toPluginEvent } from '../events/event.ts';

/** UTF-16 units of any text in a record; what is over it is cut off. */
const MAX_TEXT_CHARS = 2_000;

const Text = z.string().max(MAX_TEXT_CHARS);
const Time = z.iso.datetime({ precision: 3 });
const Count = z.int().min(0);
const Hash = z.string().regex(/^[0-9a-f]{64}$/);

/**
 * Of every record that this program writes; it grows when a member or a kind is added. What it means stands in
 * docs/reference/audit.md, for every number.
 */
export const AUDIT_VERSION = 1;

/** What is written is strict. What is read may have members that a newer program wrote; they are kept and hashed as they are. */
function bodySchemas(object: typeof z.strictObject, eventType: z.ZodType<PluginEventType>) {
  const event = object({
    /** Absent in those of the first version of events. */
    v: z.int().min(1).optional(),
    eventType,
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
  const entry = z.discriminatedUnion('kind', [
    /** A process begins to write. */
    object({ kind: z.literal('opened'), lurkbox: Text, pid: Count, policyHash: Text }),
    /** A permission was given or denied. */
    object({
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
    object({
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
    object({ kind: z.literal('event'), event }),
  ]);
  /** What an audit log has to say of itself. */
  const note = z.discriminatedUnion('kind', [
    /** The first record of a file that follows another. */
    object({ kind: z.literal('rotated'), from: Text }),
    /** Something was found when the log was about to be continued, and dealt with. */
    object({
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
  return { entry, note };
}

const WRITTEN = bodySchemas(z.strictObject, z.enum(PLUGIN_EVENT_TYPES));
const READ = bodySchemas(
  z.looseObject as unknown as typeof z.strictObject,
  Text as unknown as z.ZodType<PluginEventType>,
);

export const AuditEntrySchema = WRITTEN.entry;
export type AuditEntry = Readonly<z.infer<typeof AuditEntrySchema>>;
export type AuditNote = Readonly<z.infer<typeof WRITTEN.note>>;
export type RecoveredNote = Extract<AuditNote, { kind: 'recovered' }>;
export type AuditBody = AuditEntry | AuditNote;

/** Of a record that this program knows. */
const KnownBodySchema = z.union([READ.entry, READ.note]);
/** Of one that a newer program wrote: of it no more is known than that it has a kind. */
const NewerBodySchema = z.looseObject({ kind: Text });

/** What a record says, as it is read; `null` when it has not the members of one. `version`: the `v` of the record. */
export function readBody(
  body: object,
  version: number,
): { readonly kind: string; readonly what?: unknown } | null {
  const schema = version > AUDIT_VERSION ? NewerBodySchema : KnownBodySchema;
  return schema.safeParse(body).success ? (body as { readonly kind: string }) : null;
}

/** What makes a record a link of the chain. */
export const AuditLinkSchema = z.strictObject({
  /** `AUDIT_VERSION` of the program that wrote it. */
  v: z.int().min(1),
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
