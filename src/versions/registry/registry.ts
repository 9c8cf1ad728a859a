import { dirname, isAbsolute } from 'node:path';
import * as z from 'zod';
import { check } from '../../documents/problems.ts';
import { LurkboxError } from '../../errors.ts';
import type { PluginEvent } from '../../events/event.ts';
import type { Logger } from '../../logger.ts';
import { identityOf, isIdentityOf } from '../../manifest/digest.ts';
import { isLocked } from '../../manifest/load.ts';
import { type PluginManifest, PluginManifestSchema, PluginNameSchema } from '../../manifest/schema.ts';
import { quoteValue } from '../../printable.ts';
import { Backups } from '../../storage/backups.ts';
import type { Database } from '../../storage/database.ts';
import type { Folder } from '../../storage/folder.ts';
import { withoutLinks } from '../../storage/path-steps.ts';
import { openStateFolder } from '../../storage/state-folder.ts';
import { Store } from '../../storage/store.ts';
import { WriteBehind } from '../../storage/write-behind.ts';
import { CallCounter } from './call-counter.ts';
import { type EventQuery, EventStore, MAX_CALLS_PER_PLUGIN, type StoredEvent } from './event-store.ts';
import { type ExportedPlugin, parseExport, type RegistryExport, toExport } from './export.ts';
import {
  CanarySchema,
  ConsentSchema,
  MAX_CONSENTS,
  MAX_REASON_CHARS,
  OriginSchema,
  UidSchema,
  VERSION_FIELDS,
} from './fields.ts';
import { fromStoredOrigin } from './origin.ts';
import type {
  Consent,
  InstalledVersion,
  NewCanary,
  NewConsent,
  NewVersion,
  Permissions,
  PluginOrigin,
  PluginRecord,
  RecordedCall,
} from './record.ts';
import { RegistryCache } from './registry-cache.ts';
import { mayTake, type PluginState, TRANSITIONS, type Transition } from './state.ts';
import { REGISTRY_FORMAT } from './tables.ts';
import {
  insertPlugin,
  insertVersion,
  type OwnRecord,
  toOwnRecord,
  updatePlugin,
  updateVersion,
} from './write-record.ts';

export interface RegistryOptions {
  /** Holds `registry.db` and `activity.db`; made if it is not there. `null`: everything is in memory. */
  readonly stateFolder: string | null;
  /** Origins are stored relative to it. @default the folder that holds `stateFolder`, or the current one */
  readonly workspaceRoot?: string;
  /** False: the stores are copies, and go when this is closed. @default where they are not in memory */
  readonly isKept?: boolean;
  /** Told to whoever uses it, among `notices`. */
  readonly notice?: string | null;
  readonly logger: Logger;
  /** Milliseconds since 1970. @default Date.now */
  readonly now?: () => number;
}

/** Versions that were active before, and are remembered for a rollback. */
const MAX_ACTIVE_BEFORE = 20;
const COUNT_PERIOD_MS = 1000;

/**
 * What is known of plugins, across restarts and crashes, for several processes at once. It stores, and decides nothing.
 * What changes a plugin is on the disk when it returns; counts, events and recorded calls follow within a second.
 * What is read is frozen, and as it was when it was asked for. A fault of the store throws `REGISTRY_INVALID` or
 * `HOST_RESOURCES`; a name or an id that is not known, `PLUGIN_NOT_FOUND`.
 */
export class PluginRegistry {
  /** Whether what changes is there the next time. */
  readonly isKept: boolean;
  readonly #store: Store;
  readonly #cache: RegistryCache;
  readonly #events: EventStore;
  readonly #backups: Backups;
  readonly #counter = new CallCounter();
  readonly #counting: WriteBehind;
  readonly #repairs: string[] = [];
  readonly #notices: string[] = [];
  readonly #root: string;
  readonly #folder: Folder | null;
  readonly #logger: Logger;
  readonly #now: () => number;
  /** By the transaction that is under way; `null` while none is. */
  #changes: { readonly names: Set<string>; readonly removed: Map<string, number> } | null = null;
  #closing: Promise<void> | null = null;

  /** @throws LurkboxError `REGISTRY_INVALID`, `HOST_RESOURCES` */
  static async open(options: RegistryOptions): Promise<PluginRegistry> {
    return new PluginRegistry(options);
  }

  private constructor({
    stateFolder,
    workspaceRoot,
    isKept,
    notice,
    logger,
    now = Date.now,
  }: RegistryOptions) {
    this.#logger = logger;
    this.#now = now;
    this.#root = withoutLinks(workspaceRoot ?? (stateFolder === null ? '.' : dirname(stateFolder)));
    this.isKept = isKept ?? stateFolder !== null;
    if (notice) this.#notify(notice);
    const report = (repair: string) => this.#report(repair);
    // What happens to a copy is nobody's business.
    const notify = (notice: string) => (this.isKept ? this.#notify(notice) : undefined);
    this.#folder = stateFolder === null ? null : openStateFolder(stateFolder);
    const place = { folder: this.#folder, root: this.#root, now, report, notify };
    this.#store = this.#openOrLetGo(() => new Store(REGISTRY_FORMAT, place));
    this.#cache = new RegistryCache(this.#root, report);
    this.#backups = new Backups(this.#store, logger);
    this.#counting = new WriteBehind({ periodMs: COUNT_PERIOD_MS, write: () => this.#writeCounts(), logger });
    this.#events = this.#openOrLetGo(() => new EventStore(place, logger));
    this.#openOrLetGo(() => this.#events.keepOnly(this.#current().ids()));
  }

  #openOrLetGo<T>(open: () => T): T {
    try {
      return open();
    } catch (error) {
      this.#store?.close();
      this.#folder?.[Symbol.dispose]();
      throw error;
    }
  }

  /**
   * What was found wrong and what was done about it, at opening and since, as sentences for a person; empty when all
   * was well.
   */
  get repairs(): readonly string[] {
    return Object.freeze([...this.#repairs]);
  }

  #report(repair: string): void {
    if (this.#repairs.includes(repair)) return;
    this.#repairs.push(repair);
    this.#logger.warn({ repair }, 'The registry of plugins was mended.');
  }

  /** What somebody should know though nothing was wrong: that a store was brought to a newer format, for instance. */
  get notices(): readonly string[] {
    return Object.freeze([...this.#notices]);
  }

  #notify(notice: string): void {
    if (this.#notices.includes(notice)) return;
    this.#notices.push(notice);
    this.#logger.info({ notice }, 'The registry of plugins has something to say.');
  }

  /**
   * Makes a version known, in the state `LOADED`. One with the same name, version and digest is known already: it stays
   * what it is, with its folder, origin, lock and manifest as told now. The name belongs to the origin of its first
   * version. `consented`: what was agreed to for this content, in place of all that was agreed to before.
   */
  register(version: NewVersion, consented?: Permissions): InstalledVersion {
    const { name, ...content } = parseArgument(NewVersionSchema, version, 'version');
    const { digest } = content;
    const agreed =
      consented === undefined ? {} : { consents: this.#parseConsents([{ digest, permissions: consented }]) };
    const id = this.#change(name, (database) => {
      const pluginId = this.#cache.idOf(name);
      const record = this.#cache.get(name);
      if (pluginId === null || record === null) {
        const own = { ...toNewPlugin(name, content.origin), ...agreed };
        const newId = insertPlugin(database, own, this.#root);
        return this.#insertNew(database, newId, content);
      }
      updatePlugin(database, pluginId, { ...toOwnRecord(record), ...agreed }, this.#root);
      const known = record.versions.find(
        ({ version, digest }) => version === content.version && digest === content.digest,
      );
      if (known === undefined) return this.#insertNew(database, pluginId, content);
      updateVersion(database, pluginId, { ...known, ...content }, this.#root);
      return known.id;
    });
    return this.#requireVersion(id);
  }

  #insertNew(database: Database, pluginId: number, content: Omit<NewVersion, 'name'>): number {
    const version = { ...content, ...NEW_VERSION, installedAt: this.#time() };
    return insertVersion(database, pluginId, version, this.#root);
  }

  /**
   * Forgets a version, or without an id the whole plugin and all that is known of it. With its last version a plugin is
   * forgotten too: another one of that name must not inherit its consent. False when there was nothing to forget.
   */
  unregister(name: string, versionId?: number): boolean {
    return this.#change(name, (database, { removed }) => {
      const pluginId = this.#cache.idOf(name);
      const record = this.#cache.get(name);
      if (pluginId === null || record === null) return false;
      const kept = versionId === undefined ? [] : record.versions.filter(({ id }) => id !== versionId);
      if (kept.length === record.versions.length && versionId !== undefined) return false;
      if (kept.length === 0) {
        database.run('DELETE FROM plugins WHERE id = ?', pluginId);
        removed.set(name, pluginId);
      } else {
        database.run('DELETE FROM versions WHERE id = ?', versionId!);
        this.#cache.reload(database, name);
        updatePlugin(database, pluginId, toOwnRecord(this.#cache.get(name)!), this.#root);
      }
      return true;
    });
  }

  /** What was active before is remembered, the last 20 of them. */
  activate(name: string, versionId: number | null): void {
    this.#updateOwn(name, ({ active, activeBefore, versions }) => {
      if (versionId !== null) assertHas(name, versions, versionId);
      if (versionId === (active?.id ?? null)) return {};
      const before =
        active === null ? activeBefore : [active.id, ...activeBefore.filter((id) => id !== active.id)];
      return {
        active: versionId,
        activeBefore: before.filter((id) => id !== versionId).slice(0, MAX_ACTIVE_BEFORE),
      };
    });
  }

  /**
   * `reason` is kept with the step `fail` alone.
   * @throws LurkboxError `STATE_INVALID` when `TRANSITIONS` does not have the step from where the version stands
   */
  setState(versionId: number, step: Exclude<Transition, 'unload'>, reason?: string): InstalledVersion {
    return this.transaction(() => {
      const version = this.#requireVersion(versionId);
      assertMayTake(step, version);
      if (this.#cache.isDamaged(version))
        throw new LurkboxError(
          'REGISTRY_INVALID',
          `${describe(version)} cannot be read; register it again, or unregister it. ${version.reason}`,
        );
      const { to: state } = TRANSITIONS[step];
      const why = state === 'ERROR' ? (reason ?? 'No reason was given.').slice(0, MAX_REASON_CHARS) : null;
      this.#change(version.name, (database) => {
        const changed = { ...version, state, reason: why };
        updateVersion(database, this.#cache.idOf(version.name)!, changed, this.#root);
      });
      return this.#requireVersion(versionId);
    });
  }

  /**
   * Keeps the lock of the npm packages of a version that has none yet, and with it the digest of what it is from then on; what
   * was agreed to when it was installed is agreed to of that. The first lock stays: answers the version as it is.
   */
  setLock(versionId: number, lock: string): InstalledVersion {
    return this.transaction(() => {
      const version = this.#requireVersion(versionId);
      if (isLocked(version)) return version;
      const { name, content, digest: before, manifest } = version;
      const digest = identityOf({ content, lock, dependencies: manifest.dependencies });
      this.#updateOwn(name, ({ consents }) => ({
        consents: consents.map((one) => (one.digest === before ? { ...one, digest } : one)),
      }));
      this.#change(name, (database) => {
        updateVersion(database, this.#cache.idOf(name)!, { ...version, lock, digest }, this.#root);
      });
      return this.#requireVersion(versionId);
    });
  }

  /** Replaces what was agreed to: of each content the last one that is told, and of all the newest 1,000. */
  setConsents(name: string, consents: readonly NewConsent[]): void {
    const parsed = this.#parseConsents(consents);
    this.#updateOwn(name, () => ({ consents: parsed }));
  }

  #parseConsents(consents: readonly NewConsent[]): readonly Consent[] {
    const dated = consents.map((consent) => ({ at: this.#time(), ...consent }));
    const byDigest = new Map<string, Consent>();
    for (const consent of parseArgument(z.array(ConsentSchema), dated, 'consent')) {
      byDigest.delete(consent.digest);
      byDigest.set(consent.digest, consent);
    }
    return [...byDigest.values()].slice(-MAX_CONSENTS);
  }

  /** To whom the name belongs from now on. */
  setOrigin(name: string, origin: PluginOrigin): void {
    const parsed = parseArgument(AbsoluteOriginSchema, origin, 'origin');
    this.#updateOwn(name, () => ({ origin: parsed }));
  }

  /** User id of its containers; `null`: none is given. */
  setUid(name: string, uid: number | null): void {
    const parsed = parseArgument(UidSchema, uid, 'user id');
    this.#updateOwn(name, () => ({ uid: parsed }));
  }

  setCanary(name: string, canary: NewCanary | null): void {
    const checked = canary === null ? null : parseArgument(CanarySchema, canary, 'canary');
    this.#updateOwn(name, ({ versions }) => {
      if (checked !== null) assertHas(name, versions, checked.versionId);
      return { canary: checked };
    });
  }

  /** All of it is stored or nothing, if `work` throws. One inside of another can fail alone, and is kept with the outer one. */
  transaction<T>(work: () => T): T {
    return this.#transact(() => {
      const result = work();
      if (result instanceof Promise)
        throw new TypeError('Expected the work of a transaction to end at once, got a promise.');
      return result;
    });
  }

  get(name: string): PluginRecord | null {
    return this.#current().get(name);
  }

  /** All plugins, by name. */
  list(): readonly PluginRecord[] {
    return this.#current().list();
  }

  // Of a plugin the version counts that is active, or else the newest.

  /** Plugins whose version is in that state, by name. */
  listByState(state: PluginState): readonly PluginRecord[] {
    return this.#current().filter(({ version }) => version.state === state);
  }

  /** Plugins of that type, by name. */
  listByType(type: PluginManifest['plugin_type']): readonly PluginRecord[] {
    return this.#current().filter(({ version }) => version.manifest.plugin_type === type);
  }

  /** Plugins with that tag in upper or lower case, by name. */
  findByTag(tag: string): readonly PluginRecord[] {
    const wanted = tag.toLowerCase();
    return this.#current().filter(({ tags }) => tags.includes(wanted));
  }

  /** Plugins with that text, in upper or lower case, in name, description, a tag or the name of the author; by name. */
  findByKeyword(word: string): readonly PluginRecord[] {
    const wanted = word.toLowerCase();
    return this.#current().filter(({ text }) => text.includes(wanted));
  }

  /** Stands in the statistics of the version a second later. */
  countCall(versionId: number, { success, ms }: { readonly success: boolean; readonly ms: number }): void {
    this.#counter.count(versionId, { success, ms, at: this.#time() });
    this.#counting.touch();
  }

  /** The newest 100 of a plugin are kept; one of more than 256 KiB as JSON is left out, or of a version not known. */
  recordCall(call: RecordedCall): void {
    const name = this.#current().nameOfVersion(call.versionId);
    const pluginId = name === null ? null : this.#cache.idOf(name);
    if (pluginId !== null) this.#events.recordCall(pluginId, call);
  }

  /** Newest first. `limit`: 0 to 100, all unless told. */
  recordedCalls(
    name: string,
    { limit = MAX_CALLS_PER_PLUGIN }: { readonly limit?: number } = {},
  ): readonly RecordedCall[] {
    const pluginId = this.#current().idOf(name);
    return pluginId === null ? [] : this.#events.calls(pluginId, limit);
  }

  /** The newest 100,000 are kept; of one of more than 64 KiB as JSON the facts are left out, and its texts cut. */
  appendEvent(event: PluginEvent): void {
    this.#events.appendEvent(event);
  }

  /**
   * By growing id: the newest, or with `after` those that follow that id. What this process appended is among them, what
   * another one did a tenth of a second later.
   */
  events(query: EventQuery = {}): readonly StoredEvent[] {
    return this.#events.events(query);
  }

  /** Without events and recorded calls. A version that cannot be read is left out. */
  toJSON(): RegistryExport {
    return toExport(this.#current().list(), this.#root, (version) => this.#cache.isDamaged(version));
  }

  /**
   * Takes in the plugins of an export whose names are not known yet, all or none; answers the names.
   * @throws LurkboxError `REGISTRY_INVALID` with every problem
   */
  importJSON(value: unknown): { added: readonly string[]; skipped: readonly string[] } {
    const { plugins } = parseExport(value);
    return this.transaction(() => {
      const { known: skipped = [], unknown: added = [] } = Object.groupBy(plugins, ({ name }) =>
        this.#cache.idOf(name) === null ? 'unknown' : 'known',
      );
      for (const plugin of added)
        this.#change(plugin.name, (database) => importPlugin(database, plugin, this.#root));
      return { added: added.map(({ name }) => name), skipped: skipped.map(({ name }) => name) };
    });
  }

  /** Writes what is counted and gathered now. */
  flush(): void {
    this.#counting.flush();
    this.#events.flush();
  }

  /** Writes the rest, and the backup. May be called twice. */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #close(): Promise<void> {
    this.#counting.close();
    this.#events.close();
    await this.#backups.flush();
    this.#store.close();
    this.#folder?.[Symbol.dispose]();
  }

  /** As it is in the store now. */
  #current(): RegistryCache {
    return this.#store.read((database) => {
      this.#cache.refresh(database, this.#store.opened);
      return this.#cache;
    });
  }

  #requireVersion(id: number): InstalledVersion {
    const version = this.#current().version(id);
    if (version !== null) return version;
    throw new LurkboxError('PLUGIN_NOT_FOUND', `No version with the id ${id} is registered.`);
  }

  #updateOwn(name: string, update: (record: PluginRecord) => Partial<OwnRecord>): void {
    this.#change(name, (database) => {
      const record = this.#cache.get(name);
      if (record === null)
        throw new LurkboxError('PLUGIN_NOT_FOUND', `No plugin ${quoteValue(name)} is registered.`);
      const own = { ...toOwnRecord(record), ...update(record) };
      updatePlugin(database, this.#cache.idOf(name)!, own, this.#root);
    });
  }

  /** A change of one plugin. */
  #change<T>(name: string, work: (database: Database, changes: Changes) => T): T {
    return this.#transact((database, changes) => {
      changes.names.add(name);
      const result = work(database, changes);
      this.#cache.reload(database, name);
      return result;
    });
  }

  #writeCounts(): void {
    this.#transact(
      (database, { names }) => {
        this.#counter.write(database);
        for (const id of this.#counter.versionIds) {
          const name = this.#cache.nameOfVersion(id);
          if (name !== null) names.add(name);
        }
        for (const name of names) this.#cache.reload(database, name);
      },
      { isUrgent: false },
    );
    this.#counter.clear();
  }

  #transact<T>(work: (database: Database, changes: Changes) => T, { isUrgent = true } = {}): T {
    const outer = this.#changes;
    if (outer !== null)
      return this.#undoing(outer, () => this.#store.write((database) => work(database, outer)));
    const changes: Changes = { names: new Set(), removed: new Map() };
    this.#changes = changes;
    try {
      const { result, revision } = this.#undoing(changes, () =>
        this.#store.write((database) => {
          this.#cache.refresh(database, this.#store.opened);
          return { result: work(database, changes), revision: writeRevision(database, changes) };
        }),
      );
      if (revision !== null) this.#committed(revision, changes, isUrgent);
      return result;
    } finally {
      this.#changes = null;
    }
  }

  /** What was taken in of a change that is not kept is taken in again as it was. */
  #undoing<T>({ names }: Changes, work: () => T): T {
    try {
      return work();
    } catch (error) {
      try {
        this.#store.read((database) => {
          for (const name of names) this.#cache.reload(database, name);
        });
      } catch {
        this.#cache.forgetAll();
      }
      throw error;
    }
  }

  #committed(revision: number, { removed }: Changes, isUrgent: boolean): void {
    this.#cache.advance(revision);
    this.#backups.changed({ isUrgent });
    const gone = [...removed].filter(([name, id]) => this.#cache.idOf(name) !== id).map(([, id]) => id);
    if (gone.length === 0) return;
    try {
      this.#events.forget(gone);
    } catch (error) {
      this.#logger.warn(
        { error },
        'Recorded calls of a plugin could not be removed; the next start tries again.',
      );
    }
  }

  #time(): string {
    return new Date(this.#now()).toISOString();
  }
}

interface Changes {
  readonly names: Set<string>;
  /** Ids of plugins that were forgotten, by name. */
  readonly removed: Map<string, number>;
}

/** So that other processes see what changed; `null` when nothing did. */
function writeRevision(database: Database, { names, removed }: Changes): number | null {
  if (names.size === 0) return null;
  const { revision } = database.get<{ revision: number }>(
    'UPDATE store SET revision = revision + 1 RETURNING revision',
  )!;
  if (removed.size > 0) database.run('UPDATE store SET removed_at = revision');
  for (const name of names) database.run('UPDATE plugins SET revision = ? WHERE name = ?', revision, name);
  return revision;
}

/** In memory a path is absolute. */
const AbsoluteOriginSchema = OriginSchema.refine(({ path }) => isAbsolute(path), 'expected an absolute path');

const NewVersionSchema = z
  .strictObject({
    name: PluginNameSchema,
    version: VERSION_FIELDS.version,
    digest: VERSION_FIELDS.digest,
    content: VERSION_FIELDS.content,
    lock: VERSION_FIELDS.lock,
    folder: VERSION_FIELDS.folder,
    origin: AbsoluteOriginSchema,
    manifest: PluginManifestSchema,
  })
  .refine(
    ({ name, version, manifest }) => name === manifest.name && version === manifest.version,
    'expected name and version of its manifest',
  )
  .refine(
    ({ digest, manifest: { dependencies }, ...parts }) => isIdentityOf(digest, { ...parts, dependencies }),
    'expected the digest of its files and of the lock of its npm packages',
  );

const NEW_VERSION = {
  state: 'LOADED',
  reason: null,
  statistics: { calls: 0, failures: 0, totalMs: 0, lastCallAt: null },
} as const;

function toNewPlugin(name: string, origin: PluginOrigin): OwnRecord {
  return { name, origin, active: null, consents: [], uid: null, canary: null, activeBefore: [] };
}

function parseArgument<T>(schema: z.ZodType<T>, value: unknown, what: string): T {
  const checked = check(schema, value);
  if (checked.ok) return checked.value;
  const message = `This ${what} cannot be stored; nothing was.`;
  throw new LurkboxError('REGISTRY_INVALID', message, { problems: checked.problems });
}

/** A user id is of the host that it was given on. */
function importPlugin(database: Database, { versions, ...plugin }: ExportedPlugin, root: string): void {
  const origin = fromStoredOrigin(plugin.origin, root);
  const own: OwnRecord = { ...plugin, origin, uid: null, active: null, activeBefore: [], canary: null };
  const pluginId = insertPlugin(database, own, root);
  // Oldest first: an id grows with each installation.
  const newIds = new Map(
    versions.toReversed().map((version) => {
      const origin = fromStoredOrigin(version.origin, root);
      return [version.id, insertVersion(database, pluginId, { ...version, origin }, root)];
    }),
  );
  const { active, activeBefore, canary } = plugin;
  const roles = {
    active: active === null ? null : newIds.get(active)!,
    activeBefore: activeBefore.map((id) => newIds.get(id)!),
    canary: canary === null ? null : { ...canary, versionId: newIds.get(canary.versionId)! },
  };
  updatePlugin(database, pluginId, { ...own, ...roles }, root);
}

function assertHas(name: string, versions: readonly InstalledVersion[], id: number): void {
  if (versions.some((version) => version.id === id)) return;
  throw new LurkboxError(
    'PLUGIN_NOT_FOUND',
    `The plugin ${quoteValue(name)} has no version with the id ${id}.`,
  );
}

function assertMayTake(step: Transition, version: InstalledVersion): void {
  if (mayTake(step, version.state)) return;
  const { from, to } = TRANSITIONS[step];
  throw new LurkboxError(
    'STATE_INVALID',
    `${describe(version)} is ${version.state} and cannot become ${to}; it could from ${from.join(', ')}.`,
  );
}

function describe({ name, version }: InstalledVersion): string {
  return `\`${name}@${version}\``;
}
