import { LurkboxError } from '../../errors.ts';
import { identityOf } from '../../manifest/digest.ts';
import { isLocked } from '../../manifest/load.ts';
import type { Database } from '../../storage/database.ts';
import {
  assertHas,
  assertMayTake,
  describe,
  NEW_VERSION,
  NewVersionSchema,
  parseArgument,
  toNewPlugin,
} from './check-change.ts';
import { MAX_REASON_CHARS } from './fields.ts';
import type { Consent, InstalledVersion, NewVersion } from './record.ts';
import type { RegistryStore } from './registry-store.ts';
import { TRANSITIONS, type Transition } from './state.ts';
import { insertPlugin, insertVersion, toOwnRecord, updatePlugin, updateVersion } from './write-record.ts';

// What each of these does stands in `PluginRegistry`, which calls it.

/** Versions that were active before, and are remembered for a rollback. */
const MAX_ACTIVE_BEFORE = 20;

export function registerVersion(
  store: RegistryStore,
  version: NewVersion,
  consents?: readonly Consent[],
): InstalledVersion {
  const { name, ...content } = parseArgument(NewVersionSchema, version, 'version');
  const agreed = consents === undefined ? {} : { consents };
  const id = store.change(name, (database) => {
    const pluginId = store.cache.idOf(name);
    const record = store.cache.get(name);
    if (pluginId === null || record === null) {
      const own = { ...toNewPlugin(name, content.origin), ...agreed };
      const newId = insertPlugin(database, own, store.root);
      return insertNew(store, database, newId, content);
    }
    updatePlugin(database, pluginId, { ...toOwnRecord(record), ...agreed }, store.root);
    const known = record.versions.find(
      ({ version, digest }) => version === content.version && digest === content.digest,
    );
    if (known === undefined) return insertNew(store, database, pluginId, content);
    updateVersion(database, pluginId, { ...known, ...content }, store.root);
    return known.id;
  });
  return store.requireVersion(id);
}

function insertNew(
  store: RegistryStore,
  database: Database,
  pluginId: number,
  content: Omit<NewVersion, 'name'>,
): number {
  const version = { ...content, ...NEW_VERSION, installedAt: store.time() };
  return insertVersion(database, pluginId, version, store.root);
}

export function unregister(store: RegistryStore, name: string, versionId?: number): boolean {
  return store.change(name, (database, changes) => {
    const pluginId = store.cache.idOf(name);
    const record = store.cache.get(name);
    if (pluginId === null || record === null) return false;
    const kept = versionId === undefined ? [] : record.versions.filter(({ id }) => id !== versionId);
    if (kept.length === record.versions.length && versionId !== undefined) return false;
    if (kept.length === 0) {
      database.run('DELETE FROM plugins WHERE id = ?', pluginId);
      changes.removed.set(name, pluginId);
    } else {
      database.run('DELETE FROM versions WHERE id = ?', versionId!);
      store.reload(database, name, changes);
      updatePlugin(database, pluginId, toOwnRecord(store.cache.get(name)!), store.root);
    }
    return true;
  });
}

export function activate(store: RegistryStore, name: string, versionId: number | null): void {
  store.updateOwn(name, ({ active, activeBefore, versions }) => {
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

export function setState(
  store: RegistryStore,
  versionId: number,
  step: Exclude<Transition, 'unload'>,
  reason?: string,
): InstalledVersion {
  return store.transact(() => {
    const version = store.requireVersion(versionId);
    assertMayTake(step, version);
    if (store.cache.isDamaged(version))
      throw new LurkboxError(
        'REGISTRY_INVALID',
        `${describe(version)} cannot be read; register it again, or unregister it. ${version.reason}`,
      );
    const { to: state } = TRANSITIONS[step];
    const why = state === 'ERROR' ? (reason ?? 'No reason was given.').slice(0, MAX_REASON_CHARS) : null;
    store.change(version.name, (database) => {
      const changed = { ...version, state, reason: why };
      updateVersion(database, store.cache.idOf(version.name)!, changed, store.root);
    });
    return store.requireVersion(versionId);
  });
}

export function setLock(store: RegistryStore, versionId: number, lock: string): InstalledVersion {
  return store.transact(() => {
    const version = store.requireVersion(versionId);
    if (isLocked(version)) return version;
    const { name, content, digest: before, manifest } = version;
    const digest = identityOf({ content, lock, dependencies: manifest.dependencies });
    store.updateOwn(name, ({ consents }) => ({
      consents: consents.map((one) => (one.digest === before ? { ...one, digest } : one)),
    }));
    store.change(name, (database) => {
      updateVersion(database, store.cache.idOf(name)!, { ...version, lock, digest }, store.root);
    });
    return store.requireVersion(versionId);
  });
}
