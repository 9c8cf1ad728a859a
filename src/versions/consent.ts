import { LurkboxError } from '../errors.ts';
import type { PermissionChange } from '../policy/permission-changes.ts';
import { quoteValue } from '../printable.ts';
import type { Activation } from './activate.ts';
import { missingConsent } from './agreed.ts';
import type { LifecycleRecorder } from './lifecycle-recorder.ts';
import { toDigest } from './reference.ts';
import type { InstalledVersion, PluginRecord } from './registry/record.ts';
import type { PluginRegistry } from './registry/registry.ts';
import { assertInOrder, callableBefores, isCallable } from './resolve.ts';
import type { SandboxCache } from './sandbox-cache.ts';
import { assertLocked } from './version-images.ts';

export interface ConsentsOptions {
  readonly registry: PluginRegistry;
  readonly activation: Activation;
  readonly sandboxes: SandboxCache;
  readonly recorder: LifecycleRecorder;
}

/** Agrees to what versions ask for, and takes that back. */
export class Consents {
  readonly #options: ConsentsOptions;

  constructor(options: ConsentsOptions) {
    this.#options = options;
  }

  /** What a version asks for that nobody has agreed to; it takes no calls until somebody does. */
  missing(version: InstalledVersion): readonly PermissionChange[] {
    const record = this.#options.registry.get(version.name);
    return record === null ? [] : missingConsent(record, version);
  }

  /**
   * Somebody agrees to all that a version asks for, beside what was agreed to before, and it becomes active. `digest` is that
   * of the content that was looked at. Answers what was agreed to.
   * @throws LurkboxError `OPTIONS_INVALID` for another content, or `STATE_INVALID`
   */
  agree(version: InstalledVersion, digest: string | undefined): readonly PermissionChange[] {
    const { activation, registry, recorder } = this.#options;
    // Nobody can have looked at what is not known yet.
    assertLocked(version);
    this.#assertLookedAt(version, digest);
    const changes = this.missing(version);
    if (changes.length === 0) return changes;
    assertInOrder(version);
    const { name, manifest } = version;
    registry.transaction(() => {
      const record = registry.get(name);
      if (!record?.versions.some(({ id }) => id === version.id))
        throw new LurkboxError('PLUGIN_NOT_FOUND', `\`${name}\` was unloaded meanwhile.`);
      const consent = { digest: version.digest, permissions: manifest.permissions };
      registry.setConsents(name, [...record.consents, consent]);
    });
    recorder.tell('CONSENT', version, { metadata: { changes } });
    activation.activate(version, 'ACTIVATE');
    return changes;
  }

  /**
   * Takes back all that was agreed to for a plugin: what asks for some of it is called no more, in no process, and what serves
   * from now on is a version that needs none, or none. Answers the digests that were agreed to.
   */
  withdraw(name: string): readonly string[] {
    const { registry, sandboxes, recorder } = this.#options;
    const withdrawn = registry.transaction(() => {
      const { consents, canary } = this.#record(name);
      if (consents.length > 0) registry.setConsents(name, []);
      const record = this.#record(name);
      const tried = record.versions.find(({ id }) => id === canary?.versionId);
      if (tried !== undefined && !isCallable(record, tried)) registry.setCanary(name, null);
      return consents.map(({ digest }) => digest);
    });
    const record = this.#record(name);
    this.#switchFromUnagreed(record);
    sandboxes.follow(name, registry.get(name));
    if (withdrawn.length > 0)
      recorder.tell('CONSENT', record.active ?? { name }, { message: 'withdrawn', metadata: { withdrawn } });
    return withdrawn;
  }

  #switchFromUnagreed(record: PluginRecord): void {
    const { activation, registry } = this.#options;
    const { name, active, versions } = record;
    if (active?.state !== 'ENABLED' || isCallable(record, active)) return;
    const other = callableBefores(record)[0] ?? versions.find((one) => isCallable(record, one));
    if (other !== undefined) {
      activation.activate(other, 'ACTIVATE', 'the consent to the one before was withdrawn');
      return;
    }
    registry.transaction(() => {
      registry.setState(active.id, 'stepBack');
      registry.activate(name, null);
    });
  }

  #assertLookedAt(version: InstalledVersion, digest: string | undefined): void {
    if (digest === undefined || toDigest(digest) === version.digest) return;
    const message = `Expected all 64 digits of the digest of \`${version.name}@${version.version}\`, ${version.digest}, got ${quoteValue(digest)}; look at what it asks for again.`;
    this.#options.recorder.tell('CONSENT', version, { error: message });
    throw new LurkboxError('OPTIONS_INVALID', message);
  }

  #record(name: string): PluginRecord {
    const record = this.#options.registry.get(name);
    if (record !== null) return record;
    throw new LurkboxError('PLUGIN_NOT_FOUND', `No plugin \`${name}\` is installed.`);
  }
}
