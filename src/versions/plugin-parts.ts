import type { Logger } from '../logger.ts';
import type { Policy } from '../policy/schema.ts';
import type { Activation } from './activate.ts';
import type { Consents } from './consent.ts';
import type { Executor } from './executor.ts';
import type { KnownContents } from './install/known-contents.ts';
import type { FolderLoader } from './install/load-folder.ts';
import type { PackageLocks } from './install/package-locks.ts';
import type { Uninstaller } from './install/uninstall.ts';
import type { PluginRegistry } from './registry/registry.ts';
import type { Resolver } from './resolve.ts';
import type { Rollout } from './rollout/rollout.ts';
import type { SandboxCache } from './sandbox-cache.ts';

/** What a plugin manager delegates to. */
export interface PluginParts {
  /** `plugins/` in it is where `discoverAndLoadAll` looks. */
  readonly workspaceRoot: string;
  readonly policy: Policy;
  readonly logger: Logger;
  readonly registry: PluginRegistry;
  readonly folders: FolderLoader;
  readonly uninstaller: Uninstaller;
  readonly contents: KnownContents;
  readonly locks: PackageLocks;
  readonly resolver: Resolver;
  readonly activation: Activation;
  readonly consents: Consents;
  readonly rollout: Rollout;
  readonly sandboxes: SandboxCache;
  readonly executor: Executor;
}
