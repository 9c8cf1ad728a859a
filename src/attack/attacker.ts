import { randomBytes } from 'node:crypto';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { ContainerEngine } from '../engine/engine.ts';
import { LurkboxError } from '../errors.ts';
import { LABELS } from '../labels.ts';
import type { Lurkbox } from '../lurkbox.ts';
import type { Policy } from '../policy/schema.ts';
import { createTempFolder } from '../storage/temp-folder.ts';
import { STATE_FOLDER } from '../versions/state-place.ts';
import type { PluginInstance } from '../versions/version-grants.ts';
import { buildProbes } from './probes.ts';

/** The attacker: a plugin like any other, which does what it is told. */
export interface Attacker extends AsyncDisposable {
  readonly instance: PluginInstance;
  /** Id of its image. */
  readonly image: string;
  /** Writes a folder with the same code under another manifest. */
  withManifest(changes: object): Promise<string>;
}

export interface AttackerOptions {
  readonly signal?: AbortSignal | undefined;
  /** Laid over its manifest. @default it asks for no permission */
  readonly manifest?: object;
}

/**
 * Writes the attacker into a private folder, loads it and builds its image. Everything of that goes with it, in any
 * case; whatever it executes must be over by then. Its name is its own, so that two of them do not meet.
 */
export async function createAttacker(
  lurkbox: Lurkbox,
  engine: ContainerEngine,
  { signal, manifest = {} }: AttackerOptions,
): Promise<Attacker> {
  await using made = new AsyncDisposableStack();
  const folder = made.use(await createTempFolder(join(lurkbox.workspaceRoot, STATE_FOLDER)));
  const name = `attacker-x${randomBytes(4).toString('hex')}`;
  let written = 0;
  const withManifest = async (changes: object): Promise<string> => {
    const path = join(folder.path, `plugin-${++written}`);
    await writePlugin(path, { ...toManifest(name, lurkbox.policy), ...changes });
    return path;
  };
  const instance = await lurkbox.plugins.loadPlugin(await withManifest(manifest));
  made.defer(() => removeImages(engine, name));
  // First of all: an image cannot go while a container is made of it.
  made.defer(async () => void (await lurkbox.plugins.unloadPlugin(name)));
  const images = await lurkbox.images();
  await images.prepareBase({ exec: instance.grant.exec, ...(signal && { signal }) });
  // A moment, and not to be left in the middle of: the engine would have the image when nobody removes it any more.
  const { id } = await lurkbox.plugins.prepare(name);
  signal?.throwIfAborted();
  const kept = made.move();
  return { instance, image: id, withManifest, [Symbol.asyncDispose]: () => kept.disposeAsync() };
}

const CODE =
  'export const execute = ({ inputData: { program, args } }, host) => (0, eval)(program)(args, host);\n';

async function writePlugin(folder: string, manifest: object): Promise<void> {
  const files = { 'plugin.json': JSON.stringify(manifest), 'index.mjs': CODE, ...buildProbes() };
  await mkdir(folder);
  for (const [name, content] of Object.entries(files)) await writeFile(join(folder, name), content);
}

interface Wish {
  /** Little, so that its bombs go off soon. */
  readonly wanted: number;
  /** With less it cannot do its work. */
  readonly least: number;
}

const RESOURCES = {
  memory_mb: { wanted: 128, least: 96 },
  cpu_percent: { wanted: 100, least: 20 },
  timeout_seconds: { wanted: 30, least: 5 },
  pids: { wanted: 64, least: 32 },
  output_kb: { wanted: 1024, least: 128 },
  tmp_mb: { wanted: 16, least: 4 },
} as const satisfies Record<string, Wish>;

/** What the attacker asks for, and never more than the policy lets anybody have. */
function toResources({ ceilings }: Policy): Record<string, number> {
  const wishes = Object.entries(RESOURCES).map(([key, wish]) => ({
    key,
    ceiling: ceilings[key as keyof typeof RESOURCES],
    ...wish,
  }));
  const problems = wishes
    .filter(({ ceiling, least }) => ceiling < least)
    .map(({ key, ceiling, least }) => ({
      path: `ceilings.${key}`,
      message: `expected at least ${least}, got ${ceiling}`,
    }));
  if (problems.length > 0) {
    const message =
      'The policy leaves the attacker too little to attack with. Give a policy with higher ceilings.';
    throw new LurkboxError('POLICY_DENIED', message, { problems });
  }
  return Object.fromEntries(wishes.map(({ key, ceiling, wanted }) => [key, Math.min(wanted, ceiling)]));
}

function toManifest(name: string, policy: Policy): object {
  return {
    name,
    version: '1.0.0',
    author: { name: 'lurkbox' },
    description: 'Attacks the sandbox that it runs in, for `lurkbox doctor --attack`',
    plugin_type: 'tool',
    entry_point: 'index.mjs',
    resources: toResources(policy),
  };
}

async function removeImages(engine: ContainerEngine, plugin: string): Promise<void> {
  const images = await engine.listImages(`${LABELS.plugin}=${plugin}`);
  for (const tag of images.flatMap(({ tags }) => tags)) await engine.removeImage(tag);
}
