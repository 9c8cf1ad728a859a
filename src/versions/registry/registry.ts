import * as z from 'zod';
import type { PluginEvent } from '../../events/event.ts';
import type { PluginManifest } from '../../manifest/schema.ts';
import { activate, registerVersion, setLock, setState, unregister } from './change-versions.ts';
import { AbsoluteOriginSchema, assertHas, parseArgument } from './check-change.ts';
import { type EventQuery, MAX_CALLS_PER_PLUGIN, type StoredEvent } from './event-store.ts';
import { importPlugin, parseExport, type RegistryExport, toExport } from './export.ts';
import { CanarySchema, ConsentSchema, MAX_CONSENTS, UidSchema } from './fields.ts';
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
import { type RegistryOptions, RegistryStore } from './registry-store.ts';
import type { PluginState, Transition } from './state.ts';

/**
 * What is known of plugins, across restarts and crashes, for several processes at once. It stores, and decides nothing.
 * What changes a plugin is on the disk when it returns; counts, events and recorded calls follow within a second.
 * What is read is frozen, and as it was when it was asked for. A fault of the store throws `REGISTRY_INVALID` or
 * `HOST_RESOURCES`; a name or an id that is not known, `PLUGIN_NOT_FOUND`.
 */
export class PluginRegistry {
  readonly #store: RegistryStore;
  #closing: Promise<void> | null = null;

  /** @throws LurkboxError `REGISTRY_INVALID`, `HOST_RESOURCES` */
  static async open(options: RegistryOptions): Promise<PluginRegistry> {
    return new PluginRegistry(new RegistryStore(options));
  }

  private constructor(store: RegistryStore) {
    this.#store = store;
  }

  /** Whether what changes is there the next time. */
  get isKept(): boolean {
    return this.#store.isKept;
  }

  /**
   * What was found wrong and what was done about it, at opening and since, as sentences for a person; empty when all
   * was well.
   */
  get repairs(): readonly string[] {
    return this.#store.repairs;
  }

  /** What a person should know although nothing was wrong, such as that a store was brought to a newer format. */
  get notices(): readonly string[] {
    return this.#store.notices;
  }

  /**
   * Makes a version known, in the state `LOADED`. One with the same name, version and digest is known already: it stays
   * what it is, with its folder, origin, lock and manifest as told now. The name belongs to the origin of its first
   * version. `consented`: what was agreed to for this content, in place of all that was agreed to before.
   */
  register(version: NewVersion, consented?: Permissions): InstalledVersion {
    return registerVersion(
      this.#store,
      version,
      consented === undefined
        ? undefined
        : this.#parseConsents([{ digest: version.digest, permissions: consented }]),
    );
  }

  /**
   * Forgets a version, or without an id the whole plugin and all that is known of it. With its last version a plugin is
   * forgotten too: another one of that name must not inherit its consent. False when there was nothing to forget.
   */
  unregister(name: string, versionId?: number): boolean {
    return unregister(this.#store, name, versionId);
  }

  /** What was active before is remembered, the last 20 of them. */
  activate(name: string, versionId: number | null): void {
    activate(this.#store, name, versionId);
  }

  /**
   * `reason` is kept with the step `fail` alone.
   * @throws LurkboxError `STATE_INVALID` when `TRANSITIONS` does not have the step from where the version stands
   */
  setState(versionId: number, step: Exclude<Transition, 'unload'>, reason?: string): InstalledVersion {
    return setState(this.#store, versionId, step, reason);
  }

  /**
   * Keeps the lock of the npm packages of a version that has none yet, and with it the digest of what it is from then on; what
   * was agreed to when it was installed is agreed to of that. The first lock stays: answers the version as it is.
   */
  setLock(versionId: number, lock: string): InstalledVersion {
    return setLock(this.#store, versionId, lock);
  }

  /** Replaces what was agreed to: of each content the last one that is told, and of all the newest 1,000. */
  setConsents(name: string, consents: readonly NewConsent[]): void {
    const parsed = this.#parseConsents(consents);
    this.#store.updateOwn(name, () => ({ consents: parsed }));
  }

  #parseConsents(consents: readonly NewConsent[]): readonly Consent[] {
    const dated = consents.map((consent) => ({ at: this.#store.time(), ...consent }));
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
    this.#store.updateOwn(name, () => ({ origin: parsed }));
  }

  /** User id of its containers; `null`: none is given. */
  setUid(name: string, uid: number | null): void {
    const parsed = parseArgument(UidSchema, uid, 'user id');
    this.#store.updateOwn(name, () => ({ uid: parsed }));
  }

  setCanary(name: string, canary: NewCanary | null): void {
    const checked = canary === null ? null : parseArgument(CanarySchema, canary, 'canary');
    this.#store.updateOwn(name, ({ versions }) => {
      if (checked !== null) assertHas(name, versions, checked.versionId);
      return { canary: checked };
    });
  }

  /** All of it is stored or nothing, if `work` throws. One inside of another can fail alone, and is kept with the outer one. */
  transaction<T>(work: () => T): T {
    return this.#store.transact(() => {
      const result = work();
      if (result instanceof Promise)
        throw new TypeError('Expected the work of a transaction to end at once, got a promise.');
      return result;
    });
  }

  get(name: string): PluginRecord | null {
    return this.#store.current().get(name);
  }

  /** All plugins, by name. */
  list(): readonly PluginRecord[] {
    return this.#store.current().list();
  }

  // Of a plugin the version counts that is active, or else the newest.

  /** Plugins whose version is in that state, by name. */
  listByState(state: PluginState): readonly PluginRecord[] {
    return this.#store.current().filter(({ version }) => version.state === state);
  }

  /** Plugins of that type, by name. */
  listByType(type: PluginManifest['plugin_type']): readonly PluginRecord[] {
    return this.#store.current().filter(({ version }) => version.manifest.plugin_type === type);
  }

  /** Plugins with that tag in upper or lower case, by name. */
  findByTag(tag: string): readonly PluginRecord[] {
    const wanted = tag.toLowerCase();
    return this.#store.current().filter(({ tags }) => tags.includes(wanted));
  }

  /** Plugins with that text, in upper or lower case, in name, description, a tag or the name of the author; by name. */
  findByKeyword(word: string): readonly PluginRecord[] {
    const wanted = word.toLowerCase();
    return this.#store.current().filter(({ text }) => text.includes(wanted));
  }

  /** Stands in the statistics of the version a second later. */
  countCall(versionId: number, { success, ms }: { readonly success: boolean; readonly ms: number }): void {
    this.#store.countCall(versionId, { success, ms });
  }

  /** The newest 100 of a plugin are kept; one of more than 256 KiB as JSON is left out, or of a version not known. */
  recordCall(call: RecordedCall): void {
    const name = this.#store.current().nameOfVersion(call.versionId);
    const pluginId = name === null ? null : this.#store.cache.idOf(name);
    if (pluginId !== null) this.#store.events.recordCall(pluginId, call);
  }

  /** Newest first. `limit`: 0 to 100, all unless told. */
  recordedCalls(
    name: string,
    { limit = MAX_CALLS_PER_PLUGIN }: { readonly limit?: number } = {},
  ): readonly RecordedCall[] {
    const pluginId = this.#store.current().idOf(name);
    return pluginId === null ? [] : this.#store.events.calls(pluginId, limit);
  }

  /** The newest 100,000 are kept; of one of more than 64 KiB as JSON the facts are left out, and its texts cut. */
  appendEvent(event: PluginEvent): void {
    this.#store.events.appendEvent(event);
  }

  /**
   * By growing id: the newest, or with `after` those that follow that id. What this process appended is among them, what
   * another one did a tenth of a second later.
   */
  events(query: EventQuery = {}): readonly StoredEvent[] {
    return this.#store.events.events(query);
  }

  /** Without events and recorded calls. A version that cannot be read is left out. */
  toJSON(): RegistryExport {
    return toExport(this.#store.current().list(), this.#store.root, (version) =>
      this.#store.cache.isDamaged(version),
    );
  }

  /**
   * Takes in the plugins of an export whose names are not known yet, all or none; answers the names.
   * @throws LurkboxError `REGISTRY_INVALID` with every problem
   */
  importJSON(value: unknown): { added: readonly string[]; skipped: readonly string[] } {
    const { plugins } = parseExport(value);
    return this.transaction(() => {
      const { known: skipped = [], unknown: added = [] } = Object.groupBy(plugins, ({ name }) =>
        this.#store.cache.idOf(name) === null ? 'unknown' : 'known',
      );
      for (const plugin of added)
        this.#store.change(plugin.name, (database) => importPlugin(database, plugin, this.#store.root));
      return { added: added.map(({ name }) => name), skipped: skipped.map(({ name }) => name) };
    });
  }

  /** Writes what is counted and gathered now. */
  flush(): void {
    this.#store.flush();
  }

  /** Writes the rest, and the backup. May be called twice. */
  close(): Promise<void> {
    this.#closing ??= this.#store.close();
    return this.#closing;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}
