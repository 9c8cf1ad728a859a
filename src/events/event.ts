/** What happens in the life of a plugin. */
export const PLUGIN_EVENT_TYPES = [
  /** A version is known and its state is no longer `UNLOADED`. */
  'LOAD',
  /** A version is forgotten, and everything of it released. */
  'UNLOAD',
  'ENABLE',
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
] as const;
export type PluginEventType = (typeof PLUGIN_EVENT_TYPES)[number];

/** Plain JSON, so that it can be stored and sent. */
export interface PluginEvent {
  readonly eventType: PluginEventType;
  readonly pluginName: string;
  /** `null` where it is of no single version. */
  readonly version: string | null;
  /** `sha256:…` of the version's content, or `null`. */
  readonly digest: string | null;
  /** ISO 8601, UTC, with milliseconds. */
  readonly timestamp: string;
  readonly success: boolean;
  /** One sentence for a person, or `null`. */
  readonly message: string | null;
  /** What went wrong; `null` when nothing did. */
  readonly error: string | null;
  /** Facts; `executionId`, `outcome` and `executionTimeMs` for `EXECUTE`. */
  readonly metadata: Readonly<Record<string, unknown>>;
}
