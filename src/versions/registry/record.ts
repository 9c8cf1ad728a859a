import type { PluginManifest } from '../../manifest/schema.ts';
import type { PluginState } from './state.ts';

/** Where a plugin comes from. Each kind names what tells two plugins of one name apart. */
export type PluginOrigin = {
  readonly kind: 'folder';
  /** Absolute. It is stored relative to the workspace where it lies inside, so that a workspace that was moved stays the same. */
  readonly path: string;
};

/** One version of a plugin whose files are in the workspace. The same version with other content is another one. */
export interface InstalledVersion {
  /** Grows with each installation; unique in the workspace for ever. */
  readonly id: number;
  readonly name: string;
  readonly version: string;
  /** Identity of the content: of its files, and where it has npm packages of their lock too. */
  readonly digest: `sha256:${string}`;
  /** Digest of its files alone. */
  readonly content: `sha256:${string}`;
  /** The lock of its npm packages as canonical text; `null` where it has none, or they are not locked yet. */
  readonly lock: string | null;
  /** Of its files, relative to the workspace's `.lurkbox`; they do not change. */
  readonly folder: string;
  /** Where this version was installed from. */
  readonly origin: PluginOrigin;
  /** Of a version that can no longer be read, and is in `ERROR`: one that asks for nothing and is not enabled. */
  readonly manifest: PluginManifest;
  readonly state: Exclude<PluginState, 'UNLOADED'>;
  /** Why the state is `ERROR`; `null` otherwise. */
  readonly reason: string | null;
  /** ISO 8601, UTC. */
  readonly installedAt: string;
  readonly statistics: Statistics;
}

/** Of all executions since the installation; the last second of them may be missing. */
export interface Statistics {
  readonly calls: number;
  /** Calls whose outcome was not `OK`. */
  readonly failures: number;
  readonly totalMs: number;
  /** ISO 8601, UTC; `null` before the first call. */
  readonly lastCallAt: string | null;
}

/** How many of how many calls failed through the plugin. */
export interface Tally {
  readonly calls: number;
  readonly failures: number;
}

/** A new version that is tried on part of the calls before it becomes active. */
export interface Canary {
  readonly versionId: number;
  /** Of the calls that name no version, above 0 and below 1. */
  readonly share: number;
  /** After this many calls of the canary it becomes active, or is taken back. */
  readonly calls: number;
  /** Of the new version, since the canary began. */
  readonly tried: Tally;
  /** Of the active version, since then. */
  readonly active: Tally;
  /** Calls of the new version since then that said nothing about it: the caller, the engine or the host failed them. @default 0 */
  readonly silent?: number;
}

/** One that begins, when it has no tallies. */
export type NewCanary = Pick<Canary, 'versionId' | 'share' | 'calls'> & Partial<Canary>;

/** Permissions as somebody agreed to them. */
export type Permissions = PluginManifest['permissions'];

/** Somebody agreed to what one content asks for. */
export interface Consent {
  /** The whole digest of what was agreed to. */
  readonly digest: `sha256:${string}`;
  readonly permissions: Permissions;
  /** ISO 8601, UTC. */
  readonly at: string;
}

/** `at` is now unless told. */
export type NewConsent = Omit<Consent, 'at'> & Partial<Consent>;

/** A plugin: everything known under one name. */
export interface PluginRecord {
  readonly name: string;
  /** To whom the name belongs. */
  readonly origin: PluginOrigin;
  /** Serves the calls that name no version; `null` while none may. */
  readonly active: InstalledVersion | null;
  /** All of them, newest installation first. */
  readonly versions: readonly InstalledVersion[];
  /** What was agreed to, by content, oldest first. */
  readonly consents: readonly Consent[];
  /** All of that together. */
  readonly consented: Permissions;
  /** User id of its containers; `null` while it has been given none. */
  readonly uid: number | null;
  readonly canary: Canary | null;
  /** Ids of versions that were active before, latest first; what is not installed any more is left out. */
  readonly activeBefore: readonly number[];
}

export interface NewVersion
  extends Pick<
    InstalledVersion,
    'name' | 'version' | 'digest' | 'content' | 'lock' | 'folder' | 'origin' | 'manifest'
  > {}

/** What was told of a version when it was registered, for registering it again. */
export function toNewVersion(known: InstalledVersion): NewVersion {
  const { name, version, digest, content, lock, folder, origin, manifest } = known;
  return { name, version, digest, content, lock, folder, origin, manifest };
}

/** A call as it was made and answered, for replaying it against another version. */
export interface RecordedCall {
  readonly executionId: string;
  readonly versionId: number;
  /** ISO 8601, UTC. */
  readonly at: string;
  /** The context without the execution id, as JSON. */
  readonly context: unknown;
  readonly outcome: string;
  readonly result: unknown;
}
