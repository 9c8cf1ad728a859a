import { escapeControls } from '../printable.ts';
import { copyFacts } from './copy-facts.ts';
import { cutText } from './cut-text.ts';

/** What happens in the life of a plugin. */
export const PLUGIN_EVENT_TYPES = [
  /** A version is known and its state is no longer `UNLOADED`. */
  'LOAD',
  /** A version is forgotten, and everything of it released. */
  'UNLOAD',
  /** The active version takes calls again. */
  'ENABLE',
  /** The active version takes no calls. */
  'DISABLE',
  /** A call settled, with whatever outcome. */
  'EXECUTE',
  /** Something failed that a person should look at. */
  'ERROR',
  /** A watched folder changed, and its new content serves. */
  'RELOAD',
  /** The files of a version were copied into the workspace. */
  'INSTALL',
  /** Another version serves the calls that name none. */
  'ACTIVATE',
  /** The version that served before serves again. */
  'ROLLBACK',
  /** Somebody agreed to permissions. */
  'CONSENT',
  /** Work that a plugin had under way after its answer was not waited for longer, or failed. */
  'CUT',
] as const;
export type PluginEventType = (typeof PLUGIN_EVENT_TYPES)[number];

/** UTF-16 units of a message or an error; what is over it is cut off. */
const MAX_TEXT_CHARS = 2_000;
/** Of a name, a version, a digest. */
const MAX_NAME_CHARS = 256;

/** Grows when an event gets another member or means something else. Events without a version are of the first. */
export const EVENT_VERSION = 3;

/** Plain JSON, frozen and bounded, so that it can be kept, stored and sent. */
export interface PluginEvent {
  /** `EVENT_VERSION` of the program that emitted it. */
  readonly v: number;
  /** One of the types below. */
  readonly eventType: PluginEventType;
  /** The plugin that it is about. */
  readonly pluginName: string;
  /** `null` where it is of no single version. */
  readonly version: string | null;
  /** `sha256:…` of the version's content, or `null`. */
  readonly digest: string | null;
  /** ISO 8601, UTC, with milliseconds. */
  readonly timestamp: string;
  /** `false` where something failed. */
  readonly success: boolean;
  /** One sentence for a person, of at most 2,000 characters, or `null`. */
  readonly message: string | null;
  /** What went wrong, in at most 2,000 characters; `null` when nothing did. */
  readonly error: string | null;
  /** Facts, of at most 8 KiB as JSON; `executionId`, `outcome` and `executionTimeMs` for `EXECUTE`, `executionId` and `graceMs` for `CUT`. */
  readonly metadata: Readonly<Record<string, unknown>>;
}

/** What an emitter has to say; the rest is `null`, empty, now, and a success where there is no error. */
export type NewPluginEvent = Pick<PluginEvent, 'eventType' | 'pluginName'> & {
  readonly [Key in keyof PluginEvent]?: PluginEvent[Key] | undefined;
};

/** The event, complete: a copy that shares nothing with what it was made from and that nobody can change or grow. */
export function toPluginEvent(event: NewPluginEvent, now: () => Date): PluginEvent {
  const { eventType, pluginName, version, digest, timestamp, success, message, error, metadata } = event;
  return Object.freeze({
    v: EVENT_VERSION,
    eventType,
    pluginName: toPlainText(pluginName, MAX_NAME_CHARS),
    version: cutOrNull(version, MAX_NAME_CHARS),
    digest: cutOrNull(digest, MAX_NAME_CHARS),
    timestamp: timestamp ?? now().toISOString(),
    success: success ?? (error ?? null) === null,
    message: cutOrNull(message, MAX_TEXT_CHARS),
    error: cutOrNull(error, MAX_TEXT_CHARS),
    metadata: copyFacts(metadata ?? {}),
  });
}

function cutOrNull(text: string | null | undefined, maxChars: number): string | null {
  return text === null || text === undefined ? null : toPlainText(text, maxChars);
}

/** Before it is cut: what is escaped is longer. */
function toPlainText(text: string, maxChars: number): string {
  return cutText(escapeControls(text.slice(0, maxChars + 1)), maxChars);
}
