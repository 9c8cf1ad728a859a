import { dirname } from 'node:path';
import { LurkboxError } from '../../errors.ts';
import type { Logger } from '../../logger.ts';
import { quoteValue } from '../../printable.ts';
import { Backups } from '../../storage/backups.ts';
import { type Database, isUnreadable } from '../../storage/database.ts';
import type { Folder } from '../../storage/folder.ts';
import { withoutLinks } from '../../storage/path-steps.ts';
import { openStateFolder } from '../../storage/state-folder.ts';
import { Store } from '../../storage/store.ts';
import { WriteBehind } from '../../storage/write-behind.ts';
import { CallCounter } from './call-counter.ts';
import { EventStore } from './event-store.ts';
import type { StoredPlugin } from './read-record.ts';
import type { InstalledVersion, PluginRecord } from './record.ts';
import { RegistryCache } from './registry-cache.ts';
import { REGISTRY_FORMAT } from './tables.ts';
import { type OwnRecord, toOwnRecord, updatePlugin } from './write-record.ts';

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

const COUNT_PERIOD_MS = 1000;

/** What is to be done when a change is committed, or is not. */
export interface Changes {
  readonly names: Set<string>;
  /** Ids of plugins that were forgotten, by name. */
  readonly removed: Map<string, number>;
  /** What the cache held before each plugin was taken in anew, oldest first. */
  readonly before: { readonly name: string; readonly stored: StoredPlugin | null }[];
}

/** The two databases of a registry, what is held of them in memory, and the transactions that keep the two the same. */
export class RegistryStore {
  /** Whether what changes is there the next time. */
  readonly isKept: boolean;
  /** Of the workspace: what is stored relative to it. */
  readonly root: string;
  readonly events: EventStore;
  /** As it was read last; inside of a change it is as the store is. */
  readonly cache: RegistryCache;
  readonly #store: Store;
  readonly #backups: Backups;
  readonly #counter = new CallCounter();
  readonly #counting: WriteBehind;
  readonly #repairs: string[] = [];
  readonly #notices: string[] = [];
  readonly #folder: Folder | null;
  readonly #logger: Logger;
  readonly #now: () => number;
  /** By the transaction that is under way; `null` while none is. */
  #changes: Changes | null = null;

  /** @throws LurkboxError `REGISTRY_INVALID`, `HOST_RESOURCES` */
  constructor({ stateFolder, workspaceRoot, isKept, notice, logger, now = Date.now }: RegistryOptions) {
    this.#logger = logger;
    this.#now = now;
    this.root = withoutLinks(workspaceRoot ?? (stateFolder === null ? '.' : dirname(stateFolder)));
    this.isKept = isKept ?? stateFolder !== null;
    if (notice) this.#notify(notice);
    const report = (repair: string) => this.#report(repair);
    // What happens to a copy is nobody's business.
    const notify = (notice: string) => (this.isKept ? this.#notify(notice) : undefined);
    this.#folder = stateFolder === null ? null : openStateFolder(stateFolder);
    const place = { folder: this.#folder, root: this.root, now, report, notify };
    this.#store = this.#openOrLetGo(() => new Store(REGISTRY_FORMAT, place));
    this.cache = new RegistryCache(this.root, report);
    this.#backups = new Backups(() => this.#store.saveBackup(), logger);
    this.#counting = new WriteBehind({ periodMs: COUNT_PERIOD_MS, write: () => this.#writeCounts(), logger });
    this.events = this.#openOrLetGo(() => new EventStore(place, logger));
    this.#openOrLetGo(() => this.events.keepOnly(this.current().ids()));
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
   * As it is in the store now. Where the very file that was opened cannot be read any more, nobody else can have changed it,
   * and what was read of it before goes on to hold.
   */
  current(): RegistryCache {
    try {
      this.#store.read((database) => this.cache.refresh(database, this.#store.opened));
    } catch (error) {
      if (!isUnreadable((error as Error).cause)) throw error;
      this.#report(
        `${(error as Error).message} Until then it is used as it was read last, and no change is taken.`,
      );
    }
    return this.cache;
  }

  requireVersion(id: number): InstalledVersion {
    const version = this.current().version(id);
    if (version !== null) return version;
    throw new LurkboxError('PLUGIN_NOT_FOUND', `No version with the id ${id} is registered.`);
  }

  /** Changes what stands in the row of a plugin itself. */
  updateOwn(name: string, update: (record: PluginRecord) => Partial<OwnRecord>): void {
    this.change(name, (database) => {
      const record = this.cache.get(name);
      if (record === null)
        throw new LurkboxError('PLUGIN_NOT_FOUND', `No plugin ${quoteValue(name)} is registered.`);
      const own = { ...toOwnRecord(record), ...update(record) };
      updatePlugin(database, this.cache.idOf(name)!, own, this.root);
    });
  }

  /** A change of one plugin. */
  change<T>(name: string, work: (database: Database, changes: Changes) => T): T {
    return this.transact((database, changes) => {
      changes.names.add(name);
      const result = work(database, changes);
      this.reload(database, name, changes);
      return result;
    });
  }

  /** Takes a plugin in as the change that is under way has stored it. */
  reload(database: Database, name: string, { before }: Changes): void {
    before.push({ name, stored: this.cache.storedOf(name) });
    this.cache.reload(database, name);
  }

  /** All of it is stored or nothing. One inside of another can fail alone, and is kept with the outer one. */
  transact<T>(work: (database: Database, changes: Changes) => T, { isUrgent = true } = {}): T {
    const outer = this.#changes;
    if (outer !== null)
      return this.#undoing(outer, () => this.#store.write((database) => work(database, outer)));
    const changes: Changes = { names: new Set(), removed: new Map(), before: [] };
    this.#changes = changes;
    try {
      const { result, revision } = this.#undoing(changes, () =>
        this.#store.write((database) => {
          this.cache.refresh(database, this.#store.opened);
          return { result: work(database, changes), revision: writeRevision(database, changes) };
        }),
      );
      if (revision !== null) this.#committed(revision, changes, isUrgent);
      return result;
    } finally {
      this.#changes = null;
    }
  }

  /** What was taken in of a change that is not kept is put back as it was, without the store: that may be what failed. */
  #undoing<T>({ before }: Changes, work: () => T): T {
    const kept = before.length;
    try {
      return work();
    } catch (error) {
      for (const { name, stored } of before.splice(kept).reverse()) this.cache.putBack(name, stored);
      throw error;
    }
  }

  #committed(revision: number, { removed }: Changes, isUrgent: boolean): void {
    this.cache.advance(revision);
    this.#backups.changed({ isUrgent });
    const gone = [...removed].filter(([name, id]) => this.cache.idOf(name) !== id).map(([, id]) => id);
    if (gone.length === 0) return;
    try {
      this.events.forget(gone);
    } catch (error) {
      this.#logger.warn(
        { error },
        'Recorded calls of a plugin could not be removed; the next start tries again.',
      );
    }
  }

  countCall(versionId: number, { success, ms }: { readonly success: boolean; readonly ms: number }): void {
    this.#counter.count(versionId, { success, ms, at: this.time() });
    this.#counting.touch();
  }

  #writeCounts(): void {
    this.transact(
      (database, changes) => {
        this.#counter.write(database);
        for (const id of this.#counter.versionIds) {
          const name = this.cache.nameOfVersion(id);
          if (name !== null) changes.names.add(name);
        }
        for (const name of changes.names) this.reload(database, name, changes);
      },
      { isUrgent: false },
    );
    this.#counter.clear();
  }

  /** Writes what is counted and gathered now. */
  flush(): void {
    this.#counting.flush();
    this.events.flush();
  }

  async close(): Promise<void> {
    this.#counting.close();
    this.events.close();
    await this.#backups.flush();
    this.#store.close();
    this.#folder?.[Symbol.dispose]();
  }

  time(): string {
    return new Date(this.#now()).toISOString();
  }
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
