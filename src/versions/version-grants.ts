import { LurkboxError } from '../errors.ts';
import { isLocked, type LoadedPlugin } from '../manifest/load.ts';
import type { Grant } from '../policy/grant.ts';
import { type Granted, resolveOrThrow } from '../policy/resolve.ts';
import type { Policy } from '../policy/schema.ts';
import { describeIgnored } from '../schemas/ignored.ts';
import type { InstalledVersion } from './registry/record.ts';

/** A plugin that is loaded: what it is, and what it gets. */
export interface PluginInstance extends Omit<Granted, 'ok'> {
  /** Of this installation. */
  readonly id: number;
  readonly name: string;
  readonly version: string;
  /** `folder` is where it was installed from. */
  readonly plugin: Pick<LoadedPlugin, 'folder' | 'manifest' | 'digest' | 'content' | 'lock'>;
  readonly enabled: boolean;
  /** What its author should know, such as what of its schemas is not checked. */
  readonly warnings: readonly string[];
}

export interface VersionGrantsOptions {
  readonly policy: Policy;
  /** The user id of a plugin. */
  readonly uidOf: (plugin: string) => number;
}

/** What each version is granted, and what its author should know. Both are found out once. */
export class VersionGrants {
  readonly #options: VersionGrantsOptions;
  readonly #granted = new Map<number, { readonly digest: string | null; readonly granted: Granted }>();
  /** By version: what is in it does not change. */
  readonly #warnings = new Map<number, readonly string[]>();

  constructor(options: VersionGrantsOptions) {
    this.#options = options;
  }

  /** @throws LurkboxError `POLICY_DENIED` with every denial */
  of(version: InstalledVersion): Granted {
    const digest = isLocked(version) ? version.digest : null;
    const known = this.#granted.get(version.id);
    // Another process may have locked its npm packages: then it is judged again whether the policy pins that.
    if (known !== undefined && known.digest === digest) return known.granted;
    const { policy, uidOf } = this.#options;
    const granted = resolveOrThrow(version.manifest, policy, digest, uidOf(version.name));
    this.#granted.set(version.id, { digest, granted });
    return granted;
  }

  /** `null` where the policy denies it. */
  orNull(version: InstalledVersion): Grant | null {
    try {
      return this.of(version).grant;
    } catch (error) {
      if (error instanceof LurkboxError) return null;
      throw error;
    }
  }

  /** @throws as `of` */
  instanceOf(version: InstalledVersion): PluginInstance {
    const { id, name, manifest, digest, content, lock, origin, state } = version;
    const { grant, restrictions, rating, warm } = this.of(version);
    const plugin = { folder: origin.path, manifest, digest, content, lock };
    const enabled = state === 'ENABLED';
    const warnings = this.#warningsOf(version);
    const own = { id, name, version: version.version, plugin, enabled, warnings };
    return { ...own, grant, restrictions, rating, warm };
  }

  forget(id: number): void {
    this.#granted.delete(id);
    this.#warnings.delete(id);
  }

  #warningsOf({ id, manifest }: InstalledVersion): readonly string[] {
    const known = this.#warnings.get(id);
    if (known !== undefined) return known;
    const { input_schema, config_schema, output_schema } = manifest;
    const ignored = describeIgnored({ input_schema, config_schema, output_schema });
    const warnings = ignored === null ? [] : [ignored];
    this.#warnings.set(id, warnings);
    return warnings;
  }
}
