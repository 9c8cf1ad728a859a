import { existsSync } from 'node:fs';
import { type DockerCreateOptions, toCreateOptions } from './engine/docker/to-create-options.ts';
import type { EngineEndpoint, EngineFacts } from './engine/engine.ts';
import { checkRuntimes, type RuntimeCheck } from './engine/runtimes.ts';
import type { PluginEvents } from './events/plugin-events.ts';
import type { ImageStore } from './image/image-store.ts';
import { LABELS } from './labels.ts';
import type { Logger } from './logger.ts';
import { type LurkboxOptions, normalizeOptions } from './options.ts';
import { createPlugins, type Plugins } from './plugins.ts';
import { namedRuntimes } from './policy/runtimes.ts';
import type { Policy } from './policy/schema.ts';
import { createRuntime, type Runtime } from './runtime.ts';
import { type Identity, toLabels } from './sandboxes/cleanup/identity.ts';
import { type Pruned, prune } from './sandboxes/cleanup/prune.ts';
import { buildContainerSpec } from './spec/build.ts';
import { HotReloadManager, type HotReloadOptions } from './versions/hot-reload/hot-reload-manager.ts';
import type { Reloader } from './versions/hot-reload/reloader.ts';
import type { PluginLoader } from './versions/plugin-loader.ts';
import type { PluginManager } from './versions/plugin-manager.ts';
import type { PluginRegistry } from './versions/registry/registry.ts';
import type { PluginInstance } from './versions/version-grants.ts';
import { openWorkspace, type Workspace } from './workspace.ts';

/** What the engine is, where it listens and who chose it. */
export interface ConnectedEngineFacts extends EngineFacts, Pick<EngineEndpoint, 'chosenBy' | 'connection'> {
  /** As `DOCKER_HOST` writes it. */
  readonly address: string;
  /** What leads another process to it. */
  readonly env: Readonly<Record<string, string>>;
}

export interface Lurkbox extends AsyncDisposable {
  readonly workspaceRoot: string;
  readonly policy: Policy;
  readonly plugins: PluginManager;
  /** What is known of plugins, across restarts. */
  readonly registry: PluginRegistry;
  readonly loader: PluginLoader;
  /** What happens to plugins, for handlers. */
  readonly events: PluginEvents;
  /** Puts what is in a folder into service; `hotReload` asks it to. */
  readonly reloader: Reloader;
  /** Watches plugin folders, and has what changed there serve from the next call on; begins with its `start`. */
  hotReload(options?: Omit<HotReloadOptions, 'reloader' | 'logger'>): HotReloadManager;
  /** The images of lurkbox in the engine. */
  images(): Promise<ImageStore>;
  /** What the engine is and can enforce. @throws LurkboxError `ENGINE_UNAVAILABLE` */
  engineFacts(): Promise<ConnectedEngineFacts>;
  /** Whether the OCI runtimes that the policy names will do on this engine; the default of the engine where it names none. */
  checkRuntimes(): Promise<readonly RuntimeCheck[]>;
  /** The exact Docker options of a plugin's containers on this engine; name and image are filled in at each execution. */
  dockerOptions(instance: PluginInstance): Promise<DockerCreateOptions>;
  /** Removes containers and networks of orchestrators of this machine that are no more. */
  prune(): Promise<Pruned>;
  /** Waits until nothing of this instance is left in the engine. Fine to call twice. */
  close(): Promise<void>;
}

/**
 * Puts the stages together. Reads the policy; the engine is looked for when something needs it first, and what dead
 * orchestrators left there is removed then.
 * @throws LurkboxError `OPTIONS_INVALID` or `POLICY_INVALID`, with every problem
 */
export async function createLurkbox(options: LurkboxOptions = {}): Promise<Lurkbox> {
  const config = normalizeOptions(options);
  const workspace = await openWorkspace(config);
  const runtime = createRuntime(config, workspace);
  const plugins = createPlugins(config, workspace, runtime);
  const lurkbox = toLurkbox(config, workspace, runtime, plugins);
  try {
    plugins.warmUp();
  } catch (error) {
    await lurkbox.close();
    throw error;
  }
  return lurkbox;
}

function toLurkbox(
  { workspaceRoot, logger }: { workspaceRoot: string; logger: Logger },
  workspace: Workspace,
  runtime: Runtime,
  { manager, loader, reloader, ...plugins }: Plugins,
): Lurkbox {
  const { policy, registry, events } = workspace;
  const { identity, connect, images } = runtime;
  const watching = new Set<HotReloadManager>();
  const close = async (): Promise<void> => {
    await Promise.all([...watching].map((watcher) => watcher.stop()));
    await Promise.all([plugins.close(), runtime.stop()]);
    await workspace.close();
    await runtime.close();
  };
  return {
    workspaceRoot,
    policy,
    plugins: manager,
    registry,
    loader,
    events,
    reloader,
    hotReload: (given = {}) => {
      const watcher = new HotReloadManager({ reloader, logger, ...given });
      watching.add(watcher);
      leaveUnloaded(watcher, events);
      return watcher;
    },
    images,
    engineFacts: async () => {
      const connected = await connect();
      const { url: address, chosenBy, connection, env } = connected.endpoint;
      return { ...(await connected.facts()), address, chosenBy, connection, env };
    },
    checkRuntimes: async () => checkRuntimes(await (await connect()).facts(), namedRuntimes(policy)),
    dockerOptions: async (instance) => toDockerOptions(instance, await (await connect()).facts(), identity),
    prune: async () => prune(await connect(), identity),
    close,
    [Symbol.asyncDispose]: close,
  };
}

/** A plugin that was unloaded must not come back at the next save. One whose folder is gone may: the watcher goes on. */
function leaveUnloaded(watcher: HotReloadManager, events: PluginEvents): void {
  events.addEventHandler(
    async ({ metadata: { origin } }) => {
      const folder = folderOf(origin);
      if (folder !== null && existsSync(folder)) await watcher.removePath(folder);
    },
    { types: ['UNLOAD'] },
  );
}

/** Of the origin that an event names. */
function folderOf(origin: unknown): string | null {
  const { kind, path } = (origin ?? {}) as { kind?: unknown; path?: unknown };
  return kind === 'folder' && typeof path === 'string' ? path : null;
}

function toDockerOptions(
  instance: PluginInstance,
  facts: EngineFacts,
  identity: Identity,
): DockerCreateOptions {
  const spec = buildContainerSpec({
    grant: instance.grant,
    name: 'lurkbox-<execution id>',
    image: 'sha256:<image id>',
    labels: {
      ...toLabels(identity),
      [LABELS.kind]: 'container',
      [LABELS.execution]: '<execution id>',
      [LABELS.plugin]: instance.name,
      [LABELS.version]: instance.version,
    },
  });
  return toCreateOptions(spec, facts);
}
