import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { cp, glob, readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { z } from 'zod';
import {
  createLurkbox,
  type ExecuteOptions,
  type Lurkbox,
  LurkboxError,
  type PluginExecutionResult,
} from '../../src/index.ts';
import { assertNothingLeft, createWorkspace, removeImagesOf } from './workspace.ts';

/**
 * One folder each: the payload, `expect.json`, `manifest.json` where something of the manifest differs from that of the others,
 * and `prepare.ts` for what a repository cannot hold.
 */
const CASES = join(import.meta.dirname, '../container/abuse');
/** The manifest of every case, beside its name and its title. */
const MANIFEST = {
  version: '1.0.0',
  author: { name: 'Mallory' },
  plugin_type: 'tool',
  entry_point: 'index.mjs',
  resources: { memory_mb: 96, cpu_percent: 100, timeout_seconds: 5 },
};
/** What every payload may import as `./attempt.mjs`. */
const ATTEMPT = join(import.meta.dirname, 'probe/attempt.mjs');

const pattern = z.string().check((context) => {
  try {
    new RegExp(context.value);
  } catch {
    context.issues.push({ code: 'custom', message: 'not a regular expression', input: context.value });
  }
});

/** `expect.json`: what a hostile plugin does, and what must come of it. */
const ExpectationSchema = z.strictObject({
  title: z.string().min(10).describe('A plain sentence: what the plugin tries and what it gets.'),
  promises: z.array(z.string().regex(/^P[1-9]\d*$/)).min(1),
  refused: z
    .strictObject({ code: z.string(), problems: z.array(pattern).min(1) })
    .optional()
    .describe('The plugin cannot even be loaded: the code, and what the problems say, in any order.'),
  manifests: z
    .array(z.record(z.string(), z.json()))
    .min(2)
    .optional()
    .describe('Laid over the manifest, each a case of its own; all are expected to end the same way.'),
  outcome: z
    .union([z.string(), z.array(z.string()).min(2)])
    .optional()
    .describe('The one outcome, or the few that a race between kernel, runtime and plugin can lead to.'),
  observed: z
    .strictObject({
      result: z.json().optional().describe('Part of the result; a string of the form /…/ is a pattern.'),
      error: pattern.optional(),
      logs: pattern.optional().describe('Matches in the log lines, joined by line feeds.'),
      warnings: pattern.optional(),
    })
    .default({}),
  never: z.array(pattern).default([]).describe('Matches nowhere in what comes out, logs included.'),
  call: z
    .strictObject({
      input: z.record(z.string(), z.json()).default({}),
      timeoutMs: z.number().optional(),
      cancelAfterMs: z.number().optional(),
      times: z.number().int().min(1).default(1).describe('One after the other; each must end as expected.'),
    })
    .prefault({}),
  policy: z.record(z.string(), z.json()).default({}),
  connections: z.number().default(0).describe('How often the listeners of the host are reached.'),
});
export type Expectation = z.infer<typeof ExpectationSchema>;

export interface AbuseCase {
  readonly id: string;
  readonly folder: string;
  readonly expectation: Expectation;
  /** What `plugin.json` holds. */
  readonly manifest: object;
  /** Whether more has to be done than to copy the folder, for each staging anew. */
  readonly isPrepared: boolean;
}

/** What the `prepare` of a case may answer, when the folder of the plugin is not all that it needs. */
export interface Prepared extends Partial<AsyncDisposable> {
  /** In place of that of `expect.json`. */
  readonly policy?: object;
  /** Added to the input. */
  readonly input?: Readonly<Record<string, string>>;
  /** Between the loading of the plugin and the building of its image. */
  readonly afterLoad?: (lurkbox: Lurkbox) => Promise<unknown>;
  /** After each execution: throws when it left on the host what it may not. */
  readonly check?: () => Promise<void>;
}

/** Every case of the corpus, by name. */
export async function readCases(): Promise<AbuseCase[]> {
  const folders = await readdir(CASES, { withFileTypes: true });
  const names = folders.filter((entry) => entry.isDirectory()).map(({ name }) => name);
  return (await Promise.all(names.sort().map(readCase))).flat();
}

async function readCase(id: string): Promise<AbuseCase[]> {
  const folder = join(CASES, id);
  const parsed = ExpectationSchema.safeParse(JSON.parse(await readFile(join(folder, 'expect.json'), 'utf8')));
  if (!parsed.success) throw new Error(`${id}/expect.json: ${z.prettifyError(parsed.error)}`);
  const { refused, outcome } = parsed.data;
  if ((refused === undefined) === (outcome === undefined)) {
    throw new Error(`${id}/expect.json: expected either \`refused\` or \`outcome\``);
  }
  const { manifests, title } = parsed.data;
  const own = await readFile(join(folder, 'manifest.json'), 'utf8').then(JSON.parse, () => ({}));
  const resources = { ...MANIFEST.resources, ...own.resources };
  const manifest = { name: id, description: title, ...MANIFEST, ...own, resources };
  const isPrepared = existsSync(join(folder, 'prepare.ts'));
  const abuse: AbuseCase = { id, folder, expectation: parsed.data, manifest, isPrepared };
  if (manifests === undefined) return [abuse];
  return manifests.map((other, index) => ({
    ...abuse,
    id: `${id} ${index + 1}`,
    manifest: { ...manifest, ...other },
  }));
}

/** What a case gives to its plugin beside the input of its own. */
export interface Lures {
  /** A file of the host that no plugin may read. */
  readonly canaryFile: string;
  /** Where the host listens: a port on all of its addresses, and an abstract socket. */
  readonly port: number;
  readonly addresses: readonly string[];
  readonly abstractSocket: string;
}

/** A case in a workspace of its own: a copy, so that what the repository holds is never in a plugin's reach. */
export interface Stage extends AsyncDisposable {
  readonly lurkbox: Lurkbox;
  /** Loads the plugin and builds its image; answers the refusal where it cannot be loaded. */
  load(): Promise<LurkboxError | null>;
  /** Calls the plugin, waits until its container is gone, and fails when anything of the execution is left. */
  call(lures: Lures, options?: CallOptions): Promise<PluginExecutionResult>;
  /** A hash over the names, modes and bytes of everything in the workspace. */
  hash(): Promise<string>;
}

export interface CallOptions {
  /** Whether the call finds a container that waits, with the plugin loaded where that can be done. @default false */
  readonly warm?: boolean;
}

export async function stage(abuse: AbuseCase, env: NodeJS.ProcessEnv = process.env): Promise<Stage> {
  const { folder, expectation } = abuse;
  await using owned = new AsyncDisposableStack();
  const workspace = owned.use(await createWorkspace());
  const copy = join(workspace.root, 'plugins', basename(folder));
  await copyPlugin(abuse, copy);
  const prepared = await prepare(folder, copy);
  owned.defer(async () => prepared[Symbol.asyncDispose]?.());
  // None but those that are asked for.
  const policy = { ...(prepared.policy ?? expectation.policy), warm: 0 };
  const lurkbox = owned.use(
    await createLurkbox({ maxWarm: 1, persist: false, workspaceRoot: workspace.root, policy, env }),
  );
  // What a test got is its own to release.
  const kept = owned.move();
  let name: string | undefined;
  return {
    lurkbox,
    load: async () => {
      try {
        ({ name } = await lurkbox.plugins.loadPlugin(copy));
        await prepared.afterLoad?.(lurkbox);
        await lurkbox.plugins.prepare(name);
      } catch (error) {
        if (error instanceof LurkboxError) return error;
        throw error;
      }
      return null;
    },
    call: async (lures, { warm = false } = {}) => {
      const input = { ...expectation.call.input, ...prepared.input };
      const inputData = { ...input, lures: { ...lures, addresses: [...lures.addresses] } };
      const called = name ?? basename(folder);
      if (warm) await makeWarm(lurkbox, called);
      const result = await lurkbox.plugins.executePlugin(called, { inputData }, toOptions(expectation));
      await assertNothingLeft(sandboxIdOf(result), env);
      await prepared.check?.();
      return result;
    },
    hash: () => hashFolder(workspace.root),
    [Symbol.asyncDispose]: async () => {
      await lurkbox.close();
      if (name !== undefined) await removeImagesOf(lurkbox, name, env);
      await kept.disposeAsync();
    },
  };
}

/** What cannot be loaded ahead is called all the same, and starts a container of its own then. */
async function makeWarm({ plugins }: Lurkbox, name: string): Promise<void> {
  await plugins.prewarm(name, 1);
  // The one that waits stays for a while, and no other is started after it.
  await plugins.prewarm(name, 0);
}

/** Which container a call was served by. */
export function sandboxIdOf({ metadata, executionId }: PluginExecutionResult): string {
  return String(metadata['sandboxId'] ?? executionId);
}

async function copyPlugin({ folder, manifest, expectation }: AbuseCase, copy: string): Promise<void> {
  const own = /(expect\.json|manifest\.json|prepare\.ts)$/;
  await cp(folder, copy, { recursive: true, filter: (path) => !own.test(path) });
  await writeFile(join(copy, 'plugin.json'), JSON.stringify(manifest, null, 2));
  if (expectation.refused === undefined) await cp(ATTEMPT, join(copy, 'attempt.mjs'));
}

async function prepare(folder: string, copy: string): Promise<Prepared> {
  const file = join(folder, 'prepare.ts');
  if (!existsSync(file)) return {};
  const { prepare: work } = (await import(file)) as {
    prepare: (folder: string) => Promise<Prepared | undefined>;
  };
  return (await work(copy)) ?? {};
}

function toOptions({ call: { timeoutMs, cancelAfterMs } }: Expectation): ExecuteOptions {
  return {
    waitForRemoval: true,
    ...(timeoutMs === undefined ? {} : { timeoutMs }),
    ...(cancelAfterMs === undefined ? {} : { signal: AbortSignal.timeout(cancelAfterMs) }),
  };
}

async function hashFolder(root: string): Promise<string> {
  const hash = createHash('sha256');
  const paths = await Array.fromAsync(glob('**', { cwd: root }));
  for (const path of paths.sort()) {
    const { mode, size } = await stat(join(root, path)).catch(() => ({ mode: 0, size: 0 }));
    hash.update(`${path}\0${mode}\0${size}\0`);
    hash.update(await readFile(join(root, path)).catch(() => ''));
  }
  return hash.digest('hex');
}

/** Reads patterns out of an expected value: what stands between slashes is one, and everything else is itself. */
export function toMatcher(expected: unknown, matching: (pattern: RegExp) => unknown): unknown {
  if (typeof expected === 'string') {
    const body = /^\/(.+)\/$/s.exec(expected)?.[1];
    return body === undefined ? expected : matching(new RegExp(body));
  }
  if (Array.isArray(expected)) return expected.map((entry) => toMatcher(entry, matching));
  if (typeof expected !== 'object' || expected === null) return expected;
  const entries = Object.entries(expected).map(([key, entry]) => [key, toMatcher(entry, matching)]);
  return Object.fromEntries(entries);
}
