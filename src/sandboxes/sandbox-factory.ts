import type { Admission } from '../calls/admission/admission.ts';
import { SchemaChecks } from '../calls/schema-checks.ts';
import type { ContainerEngine } from '../engine/engine.ts';
import type { Logger } from '../logger.ts';
import type { LoadedPlugin } from '../manifest/load.ts';
import type { PluginManifest } from '../manifest/schema.ts';
import type { Grant } from '../policy/grant.ts';
import type { SchemaChecker } from '../schemas/schema-checker.ts';
import type { Reaper } from './cleanup/reaper.ts';
import type { LostAfterAnswer } from './container/after-answer.ts';
import { ContainerFactory } from './container/container-factory.ts';
import { ContainerSandbox } from './container/container-sandbox.ts';
import type { PluginSandbox, SandboxImage } from './plugin-sandbox.ts';
import type { PluginPool } from './pool/plugin-pool.ts';
import type { Pool } from './pool/pool.ts';

export interface SandboxFactoryOptions {
  readonly connect: () => Promise<ContainerEngine>;
  /** Who makes the containers, as labels. */
  readonly ownerLabels: Readonly<Record<string, string>>;
  readonly admission: Admission;
  readonly schemaChecker: SchemaChecker;
  readonly reaper: Reaper;
  readonly pool: Pool;
  readonly logger: Logger;
}

export interface SandboxNeeds {
  readonly plugin: Pick<LoadedPlugin, 'manifest' | 'digest'>;
  readonly grant: Grant;
  readonly image: SandboxImage;
  /** How many should wait for calls. */
  readonly warm: number | 'adaptive';
  /** The sandbox that is about to close in its favour. */
  readonly replaced?: PluginSandbox | undefined;
  /** Told of an execution after whose answer something is lost. */
  readonly onLost: (executionId: string, lost: LostAfterAnswer) => void;
}

/** Makes the sandbox of a plugin version under a grant. Whoever executes plugins knows no other way to one. */
export class SandboxFactory {
  readonly #options: SandboxFactoryOptions;
  readonly #pools = new WeakMap<PluginSandbox, PluginPool>();

  constructor(options: SandboxFactoryOptions) {
    this.#options = options;
  }

  /** Starts what a call of such a plugin waits for beside its container. */
  expectCall(manifest: PluginManifest): void {
    new SchemaChecks(manifest, this.#options.schemaChecker).start();
  }

  /** @throws LurkboxError `POLICY_INVALID` when the number that should wait does not fit */
  create({ plugin, grant, image, warm, replaced, onLost }: SandboxNeeds): PluginSandbox {
    const { connect, ownerLabels, admission, schemaChecker, reaper, pool, logger } = this.#options;
    const { entry_point: entryPoint, preload, version } = plugin.manifest;
    const containers = new ContainerFactory({ grant, entryPoint, version, connect, ownerLabels, reaper });
    const before = replaced === undefined ? undefined : this.#pools.get(replaced);
    const source = pool.open({ containers, image, preload, warm, logger }, before);
    const sandbox = new ContainerSandbox({
      plugin,
      containers,
      image,
      source,
      admission,
      schemaChecker,
      onLost,
      logger,
    });
    this.#pools.set(sandbox, source);
    return sandbox;
  }
}
