import { chmod, mkdir, mkdtemp, realpath, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { connectEngine } from '../../src/engine/docker/connect.ts';
import {
  createLurkbox,
  type ExecuteOptions,
  type ExecutionContextOptions,
  type Lurkbox,
  type LurkboxOptions,
  type PluginExecutionResult,
} from '../../src/index.ts';
import { LABELS } from '../../src/labels.ts';

export interface Workspace extends AsyncDisposable {
  readonly root: string;
  /** Writes `plugins/<name>/` with a manifest and its files; `manifest` is laid over a minimal one. Answers the folder. */
  addPlugin(name: string, options?: PluginSource): Promise<string>;
}

export interface PluginSource {
  readonly manifest?: object;
  /** Content of the entry point. @default a plugin that answers null */
  readonly code?: string;
  readonly files?: Readonly<Record<string, string>>;
}

/** A workspace in a temporary folder, removed when it is disposed of. */
export async function createWorkspace(): Promise<Workspace> {
  const root = await mkdtemp(join(tmpdir(), 'lurkbox-test-'));
  return {
    root,
    addPlugin: (name, source = {}) => writePlugin(join(root, 'plugins', name), name, source),
    [Symbol.asyncDispose]: () => rm(root, { recursive: true, force: true }),
  };
}

async function writePlugin(
  folder: string,
  name: string,
  { manifest, code, files }: PluginSource,
): Promise<string> {
  const complete = {
    name,
    version: '1.0.0',
    author: { name: 'Test' },
    description: 'A plugin of the tests',
    plugin_type: 'tool',
    entry_point: 'index.mjs',
    resources: { memory_mb: 96, cpu_percent: 100, timeout_seconds: 10 },
    ...manifest,
  };
  const contents = {
    'plugin.json': JSON.stringify(complete),
    [complete.entry_point]: code ?? 'export const execute = () => null;',
    ...files,
  };
  for (const [path, content] of Object.entries(contents)) {
    await mkdir(dirname(join(folder, path)), { recursive: true });
    await writeFile(join(folder, path), content);
  }
  return folder;
}

/** What a plugin is given beside its context. */
export interface Host {
  log(level: string, message: unknown): void;
  progress(fraction: number, message?: string): void;
  readonly signal: AbortSignal;
}

/**
 * A function that is sent into a container as text and called there: it sees its arguments and the globals of that Node,
 * and nothing around it. Node's modules it gets by `process.getBuiltinModule`.
 */
export type Program<Args = unknown> = (args: Args, host: Host) => unknown;

/** A plugin that does what it is told, so that one image serves every case of a test file. */
const PROBE =
  'export const execute = ({ inputData: { program, args } }, host) => (0, eval)(program)(args, host);';

export interface TestPlugin extends AsyncDisposable {
  readonly lurkbox: Lurkbox;
  readonly name: string;
  readonly workspace: Workspace;
  /** Calls the plugin, waits until its container is gone, and fails when anything of the execution is left. */
  call(context?: ExecutionContextOptions, options?: ExecuteOptions): Promise<PluginExecutionResult>;
  /** Has the probe run a program, in the way of `call`. */
  run<Args>(program: Program<Args>, args?: Args, options?: ExecuteOptions): Promise<PluginExecutionResult>;
  /** The result of a program that is expected to end well. */
  ask<Answer, Args>(program: (args: Args, host: Host) => Answer, args?: Args): Promise<Awaited<Answer>>;
}

/** One plugin, loaded and ready; without code it is a probe. Its images and workspace go when it is disposed of. */
export async function createPlugin(
  name: string,
  source: PluginSource = {},
  options: LurkboxOptions = {},
): Promise<TestPlugin> {
  const workspace = await createWorkspace();
  const lurkbox = await loadOne(workspace, name, source, options).catch(async (error: unknown) => {
    await workspace[Symbol.asyncDispose]();
    throw error;
  });

  const call: TestPlugin['call'] = async (context, extra) => {
    const result = await lurkbox.plugins.executePlugin(name, context, { waitForRemoval: true, ...extra });
    await assertNothingLeft(result.executionId, options.env);
    return result;
  };
  const run: TestPlugin['run'] = (program, args, extra) => call(toContext(program, args), extra);
  return {
    lurkbox,
    name,
    workspace,
    call,
    run,
    ask: async (program, args) => {
      const { outcome, result, error } = await run(program, args);
      if (outcome !== 'OK') throw new Error(`the program ended with ${outcome}: ${error?.message}`);
      return result as never;
    },
    [Symbol.asyncDispose]: async () => {
      await lurkbox.close();
      await removeImagesOf(lurkbox, name, options.env);
      await workspace[Symbol.asyncDispose]();
    },
  };
}

async function loadOne(
  workspace: Workspace,
  name: string,
  source: PluginSource,
  options: LurkboxOptions,
): Promise<Lurkbox> {
  const folder = await workspace.addPlugin(name, { code: PROBE, ...source });
  const lurkbox = await createLurkbox({ workspaceRoot: workspace.root, maxWarm: 0, ...options });
  await lurkbox.plugins.loadPlugin(folder);
  return lurkbox;
}

export interface SharedFolder extends AsyncDisposable {
  readonly path: string;
}

/** A folder of the host that a plugin may be given as a mount, and may write to. */
export async function createSharedFolder(): Promise<SharedFolder> {
  const path = await mkdtemp(join(await realpath(tmpdir()), 'lurkbox-shared-'));
  await chmod(path, 0o777);
  return { path, [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true }) };
}

/** The context with which a probe runs a program. */
export function toContext<Args>(program: Program<Args>, args?: Args): ExecutionContextOptions {
  return { inputData: { program: `(${program})`, args: (args ?? null) as never } };
}

/** P2: whatever the outcome was, no container and no network of the execution is in the engine. */
export async function assertNothingLeft(executionId: string, env?: NodeJS.ProcessEnv): Promise<void> {
  const { containers, networks } = await findByLabel(`${LABELS.execution}=${executionId}`, env);
  const left = [...containers, ...networks];
  if (left.length > 0) throw new Error(`the execution left ${left.join(', ')}`);
}

/** Names of the containers and networks that carry a label, in the engine that the environment names. */
export async function findByLabel(
  label: string,
  env: NodeJS.ProcessEnv = process.env,
): Promise<{ containers: string[]; networks: string[] }> {
  const engine = await connectEngine({ env });
  const containers = await engine.listContainers(label);
  const networks = await engine.listNetworks(label);
  return {
    containers: containers.map(({ id, names }) => names[0] ?? id),
    networks: networks.map(({ name }) => name),
  };
}

/** Removes the images of one plugin only: tests run beside each other on one engine, which rules out a prune. */
export async function removeImagesOf(
  lurkbox: Lurkbox,
  plugin: string,
  env: NodeJS.ProcessEnv = process.env,
): Promise<void> {
  const images = await (await lurkbox.images()).list();
  const engine = await connectEngine({ env });
  for (const { tag } of images.filter((image) => image.plugin === plugin)) await engine.removeImage(tag);
}
