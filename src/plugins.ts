import { join } from 'node:path';
import { PLUGINS_FOLDER } from './manifest/discover.ts';
import type { LurkboxConfig } from './options.ts';
import type { Runtime } from './runtime.ts';
import { readMachineId } from './sandboxes/cleanup/identity.ts';
import { Activation } from './versions/activate.ts';
import { Consents } from './versions/consent.ts';
import { Executor } from './versions/executor.ts';
import { readHostAccounts } from './versions/host-accounts.ts';
import { FolderReloader } from './versions/hot-reload/folder-reloader.ts';
import type { Reloader } from './versions/hot-reload/reloader.ts';
import { ImageSupply } from './versions/image-supply.ts';
import { Installer } from './versions/install/install.ts';
import { KeptNames } from './versions/install/kept-names.ts';
import { KnownContents } from './versions/install/known-contents.ts';
import { FolderLoader } from './versions/install/load-folder.ts';
import { PackageLocks } from './versions/install/package-locks.ts';
import { Uninstaller } from './versions/install/uninstall.ts';
import { PluginLoader } from './versions/plugin-loader.ts';
import { PluginManager } from './versions/plugin-manager.ts';
import { PluginUids } from './versions/plugin-uids.ts';
import { Resolver } from './versions/resolve.ts';
import { Rollout } from './versions/rollout/rollout.ts';
import { RolloutMonitor } from './versions/rollout/rollout-monitor.ts';
import { SandboxCache } from './versions/sandbox-cache.ts';
import { readKeptRecords } from './versions/state-place.ts';
import type { Workspace } from './workspace.ts';

/** How often it is looked whether another process has switched, disabled or unloaded what nobody calls here. */
const FOLLOW_MS = 2_000;

/** The plugins of a workspace, and what loads and reloads them. */
export interface Plugins {
  readonly manager: PluginManager;
  readonly loader: PluginLoader;
  readonly reloader: Reloader;
  /** Has containers wait where the policy says how many. @throws LurkboxError `POLICY_INVALID` */
  warmUp(): void;
  /** Takes no more calls, and resolves when no container of them is left. */
  close(): Promise<void>;
}

type Common = Pick<LurkboxConfig, 'workspaceRoot' | 'logger'> & Workspace;

/** Each part is made after those that it needs: sandboxes, then what installs, then what activates, then what calls. */
export function createPlugins(config: LurkboxConfig, workspace: Workspace, runtime: Runtime): Plugins {
  const common = { workspaceRoot: config.workspaceRoot, logger: config.logger, ...workspace };
  const { registry } = workspace;
  const supply = new ImageSupply(config);
  const contents = new KnownContents(registry, workspace.files);
  const locks = new PackageLocks({ ...common, contents, supply, locker: runtime.locker });
  const sandboxes = createSandboxes(common, runtime, supply);
  const { installer, uninstaller } = createInstallers(config, common, runtime, {
    contents,
    locks,
    sandboxes,
  });
  const activation = new Activation({ ...common, sandboxes, uninstaller });
  const consents = new Consents({ ...common, activation, sandboxes });
  const resolver = new Resolver(registry, sandboxes);
  const watch = new RolloutMonitor({ ...common, activation, probe: sandboxes });
  const executor = new Executor({ ...common, resolver, sandboxes, locks, watch });
  const rollout = new Rollout({ registry, resolver, activation, executor, locks, sandboxes });
  const folders = new FolderLoader({ registry, installer, activation, sandboxes, locks });
  const parts = { activation, consents, contents, executor, folders, locks, resolver, rollout };
  const manager = new PluginManager({ ...common, ...parts, sandboxes, uninstaller });
  const following = setInterval(() => sandboxes.followAll((name) => registry.get(name)), FOLLOW_MS).unref();
  return {
    manager,
    loader: new PluginLoader({ registry, installer, uninstaller, activation, consents }),
    reloader: new FolderReloader({
      ...common,
      pluginsFolder: pluginsFolderOf(config),
      installer,
      uninstaller,
      sandboxes,
      activation,
    }),
    warmUp: () => sandboxes.warmUp(registry.list().flatMap(({ active }) => active ?? [])),
    close: () => {
      clearInterval(following);
      return manager.close();
    },
  };
}

function createSandboxes(common: Common, { factory, images }: Runtime, supply: ImageSupply): SandboxCache {
  const uids = new PluginUids({
    ...common,
    // With the id of the machine, so that the author of a plugin cannot choose a name that leads to the number of another one.
    workspace: `${readMachineId().trim()}:${common.workspaceRoot}`,
    isHostAccount: readHostAccounts(),
  });
  return new SandboxCache({ ...common, uidOf: (plugin) => uids.uidOf(plugin), images, supply, factory });
}

function createInstallers(
  config: LurkboxConfig,
  common: Common,
  { schemaChecker, images }: Runtime,
  parts: { contents: KnownContents; locks: PackageLocks; sandboxes: SandboxCache },
): { installer: Installer; uninstaller: Uninstaller } {
  const { policy } = common;
  const uninstaller = new Uninstaller({ ...common, sandboxes: parts.sandboxes, images });
  const keptNames = config.persist ? null : new KeptNames({ policy, read: () => readKeptRecords(config) });
  const pluginsFolder = pluginsFolderOf(config);
  const installer = new Installer({
    ...common,
    ...parts,
    pluginsFolder,
    keptNames,
    schemaChecker,
    uninstaller,
  });
  return { installer, uninstaller };
}

function pluginsFolderOf({ workspaceRoot }: LurkboxConfig): string {
  return join(workspaceRoot, PLUGINS_FOLDER);
}
