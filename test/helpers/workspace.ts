import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { connectEngine } from '../../src/engine/connect.ts';
import { createLurkbox, type Lurkbox, type LurkboxOptions, type PluginExecutionResult } from '../../src/index.ts';

export interface Workspace extends AsyncDisposable {
  readonly root: string;
  /** Writes `plugins/<name>/` with a manifest and its files; `manifest` is laid over a minimal one. Answers the folder. */
  addPlugin(name: string, options: PluginSource): Promise<string>;
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
    addPlugin: (name, source) => writePlugin(join(root, 'plugins', name), name, source),
    [Symbol.asyncDispose]: () => rm(root, { recursive: true, force: true }),
  };
}

async function writePlugin(folder: string, name: string, { manifest, code, files }: PluginSource): Promise<string> {
  const complete = {
    name,
    version: '1.0.0',
    author: { name: 'Test' },
    description: 'A plugin of the tests',
    plugin_type: 'tool',
    entry_point: 'index.mjs',
    resources: { memory_mb: 96, timeout_seconds: 10 },
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

export interface OnePlugin extends AsyncDisposable {
  readonly lurkbox: Lurkbox;
  readonly name: string;
  readonly workspace: Workspace;
  /** Executes the plugin and waits until its container is gone. */
  run(inputData?: unknown, options?: object): Promise<PluginExecutionResult>;
}

/** One plugin, loaded and ready; its images and workspace are removed when it is disposed of. */
export async function createPlugin(
  name: string,
  source: PluginSource,
  options: LurkboxOptions = {},
): Promise<OnePlugin> {
  const workspace = await createWorkspace();
  const folder = await workspace.addPlugin(name, source);
  const lurkbox = await createLurkbox({ workspaceRoot: workspace.root, ...options });
  await lurkbox.plugins.loadPlugin(folder);
  return {
    lurkbox,
    name,
    workspace,
    run: (inputData = {}, extra = {}) =>
      lurkbox.plugins.executePlugin(name, { inputData: inputData as never }, { waitForRemoval: true, ...extra }),
    [Symbol.asyncDispose]: async () => {
      await lurkbox.close();
      await removeImagesOf(lurkbox, name);
      await workspace[Symbol.asyncDispose]();
    },
  };
}

/** Removes the images of one plugin only: tests run beside each other on one engine, which rules out a prune. */
export async function removeImagesOf(lurkbox: Lurkbox, plugin: string): Promise<void> {
  const images = await (await lurkbox.images()).list();
  const engine = await connectEngine();
  for (const { tag } of images.filter((image) => image.plugin === plugin)) await engine.removeImage(tag);
}
