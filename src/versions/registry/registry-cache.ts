import { PluginNameSchema } from '../../manifest/schema.ts';
import { quoteValue } from '../../printable.ts';
import type { Database } from '../../storage/database.ts';
import { type Manifests, type ReadPlugin, readPlugin, type StoredPlugin } from './read-record.ts';
import type { InstalledVersion, PluginRecord } from './record.ts';
import { checksumOfPlugin, checksumOfVersion } from './row-checksum.ts';
import { type PluginRow, SELECT, type VersionRow } from './tables.ts';

/** By what a plugin is found: the version that serves, or else the newest, and its words in lower case. */
interface Found {
  readonly version: InstalledVersion;
  readonly tags: readonly string[];
  /** Name, description, name of the author, tags, one a line. */
  readonly text: string;
}

/** What is stored of one plugin, and what was made of it once somebody asked. */
interface Entry {
  stored: StoredPlugin;
  read: ReadPlugin | null;
  found: Found | null;
}

/**
 * The registry in memory, as it was at one revision. Opening takes in the rows; a record is made when it is first asked
 * for, because checking a manifest costs more than all the rest.
 */
export class RegistryCache {
  readonly #entries = new Map<string, Entry>();
  readonly #nameOfVersion = new Map<number, string>();
  readonly #manifests: Manifests = new Map();
  readonly #root: string;
  readonly #report: (fault: string) => void;
  #revision = -1;
  #opened = 0;
  #sorted: readonly Entry[] | null = null;
  #list: readonly PluginRecord[] | null = null;

  /** `root`: of the workspace, that stored paths are relative to. */
  constructor(root: string, report: (fault: string) => void) {
    this.#root = root;
    this.#report = report;
  }

  /** Takes in what changed since; all of it when another file is open than last time. */
  refresh(database: Database, opened: number): void {
    if (opened === this.#opened && readRevision(database).revision === this.#revision) return;
    database.snapshot(() => {
      const { revision, removed_at } = readRevision(database);
      if (opened !== this.#opened || revision < this.#revision) this.#loadAll(database);
      else {
        if (removed_at > this.#revision) this.#dropMissing(database);
        for (const name of changedSince(database, this.#revision)) this.reload(database, name);
      }
      this.#revision = revision;
      this.#opened = opened;
    });
  }

  /** This process has changed the store itself, and has taken in what. */
  advance(revision: number): void {
    this.#revision = revision;
  }

  #loadAll(database: Database): void {
    // Read first: where that fails, what was known stays known.
    const versionsOf = Map.groupBy(database.all<VersionRow>(SELECT.allVersions), (row) => row.plugin_id);
    const plugins = database.all<PluginRow>(SELECT.allPlugins);
    for (const name of [...this.#entries.keys()]) this.#drop(name);
    for (const plugin of plugins) this.#put({ plugin, versions: versionsOf.get(plugin.id) ?? [] });
  }

  /** Takes in one plugin as it is stored now. */
  reload(database: Database, name: string): void {
    const plugin = database.get<PluginRow>(SELECT.plugin, name);
    if (plugin === undefined) this.#drop(name);
    else this.#put({ plugin, versions: database.all<VersionRow>(SELECT.versions, plugin.id) });
  }

  /** What is held of a plugin, for `putBack`. */
  storedOf(name: string): StoredPlugin | null {
    return this.#entries.get(name)?.stored ?? null;
  }

  putBack(name: string, stored: StoredPlugin | null): void {
    if (stored === null) this.#drop(name);
    else this.#put(stored);
  }

  #dropMissing(database: Database): void {
    const present = new Set(
      database.all<{ name: string }>('SELECT name FROM plugins').map(({ name }) => name),
    );
    for (const name of [...this.#entries.keys()]) if (!present.has(name)) this.#drop(name);
  }

  #put(stored: StoredPlugin): void {
    const { plugin, versions } = stored;
    if (!PluginNameSchema.safeParse(plugin.name).success) {
      this.#report(`A plugin with the impossible name ${quoteValue(plugin.name)} is left out.`);
      return;
    }
    let entry = this.#entries.get(plugin.name);
    if (entry === undefined) {
      entry = { stored, read: null, found: null };
      this.#entries.set(plugin.name, entry);
      this.#sorted = null;
    } else {
      this.#forgetVersions(entry, new Set(versions.map(({ id }) => id)));
      Object.assign(entry, { stored, read: null, found: null });
    }
    this.#list = null;
    for (const { id } of versions) this.#nameOfVersion.set(id, plugin.name);
    // Faults that are cheap to find are reported at once.
    const isSound =
      plugin.seal === checksumOfPlugin(plugin) &&
      versions.every((row) => row.seal === checksumOfVersion(row));
    if (!isSound) this.#read(entry);
  }

  #drop(name: string): void {
    const entry = this.#entries.get(name);
    if (entry === undefined) return;
    this.#forgetVersions(entry, new Set());
    this.#entries.delete(name);
    this.#sorted = null;
    this.#list = null;
  }

  #forgetVersions({ stored }: Entry, kept: ReadonlySet<number>): void {
    for (const { id } of stored.versions) {
      if (kept.has(id)) continue;
      this.#nameOfVersion.delete(id);
      this.#manifests.delete(id);
    }
  }

  #read(entry: Entry): ReadPlugin {
    if (entry.read !== null) return entry.read;
    const read = readPlugin(entry.stored, this.#manifests, this.#root);
    entry.read = read;
    const { record } = read;
    if (read.fault !== null)
      this.#report(
        `What was agreed to for \`${record.name}\` cannot be read (${read.fault}): it has no active version now, and nobody's consent.`,
      );
    for (const [id, reason] of read.versionFaults)
      this.#report(`Version ${id} of \`${record.name}\` is in ERROR. ${reason}`);
    return read;
  }

  get(name: string): PluginRecord | null {
    const entry = this.#entries.get(name);
    return entry === undefined ? null : this.#read(entry).record;
  }

  /** Id of the plugin in the store; `null` when it is not known. */
  idOf(name: string): number | null {
    return this.#entries.get(name)?.stored.plugin.id ?? null;
  }

  version(id: number): InstalledVersion | null {
    const name = this.#nameOfVersion.get(id);
    return (
      (name === undefined ? null : this.get(name))?.versions.find((version) => version.id === id) ?? null
    );
  }

  nameOfVersion(id: number): string | null {
    return this.#nameOfVersion.get(id) ?? null;
  }

  /** Whether nothing but its name can be relied on. */
  isDamaged(version: InstalledVersion): boolean {
    return this.#entries.get(version.name)?.read?.versionFaults.has(version.id) ?? false;
  }

  ids(): number[] {
    return [...this.#entries.values()].map(({ stored }) => stored.plugin.id);
  }

  /** By name. */
  list(): readonly PluginRecord[] {
    this.#list ??= Object.freeze(this.#byName().map((entry) => this.#read(entry).record));
    return this.#list;
  }

  /** By name. */
  filter(fits: (found: Found) => boolean): readonly PluginRecord[] {
    const records: PluginRecord[] = [];
    for (const entry of this.#byName()) {
      const { record } = entry.read ?? this.#read(entry);
      entry.found ??= toFound(record);
      if (entry.found !== null && fits(entry.found)) records.push(record);
    }
    return Object.freeze(records);
  }

  #byName(): readonly Entry[] {
    this.#sorted ??= [...this.#entries.keys()].sort().map((name) => this.#entries.get(name)!);
    return this.#sorted;
  }
}

function toFound({ active, versions }: PluginRecord): Found | null {
  const version = active ?? versions[0];
  if (version === undefined) return null;
  const { name, description, author, tags } = version.manifest;
  const words = [name, description, author.name, ...tags].map((word) => word.toLowerCase());
  return { version, tags: words.slice(3), text: words.join('\n') };
}

function readRevision(database: Database): { revision: number; removed_at: number } {
  return database.get('SELECT revision, removed_at FROM store')!;
}

function changedSince(database: Database, revision: number): string[] {
  return database
    .all<{ name: string }>('SELECT name FROM plugins WHERE revision > ?', revision)
    .map(({ name }) => name);
}
