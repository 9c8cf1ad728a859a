import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { type EngineWitness, witnessEngine } from '../engine/connect.ts';
import type { ContainerEngine } from '../engine/engine.ts';
import { LABELS } from '../labels.ts';
import type { Lurkbox } from '../lurkbox.ts';
import { STATE_FOLDER } from '../versions/state-place.ts';
import type { Aftermath } from './attack.ts';

export interface Observer extends AsyncDisposable {
  /** What there is of this plugin, and what happened meanwhile. */
  lookAfter(plugin: string): Promise<Omit<Aftermath, 'results' | 'calls'>>;
}

/** Looks at what is there before, and on while the attacks are made. */
export async function createObserver(lurkbox: Lurkbox, engine: ContainerEngine): Promise<Observer> {
  const witness = await witnessEngine({ env: engine.endpoint.env });
  const listed = (await witness.containers()).filter(isTheirs);
  const filesBefore = new Set(await listTempFiles(lurkbox));
  return {
    lookAfter: async (plugin) => {
      await untilQuiet(witness, plugin);
      const files = (await listTempFiles(lurkbox)).filter((file) => !filesBefore.has(file));
      return {
        left: [...(await findLeft(engine, plugin)), ...files],
        starts: countStarts(witness, plugin),
        touched: findTouched(witness, new Set(listed.flatMap(({ id, names }) => [id, ...names]))),
        others: listed.length,
      };
    },
    [Symbol.asyncDispose]: () => witness[Symbol.asyncDispose](),
  };
}

/** Temporary files of this process; other processes of the workspace have some of their own. */
async function listTempFiles({ workspaceRoot }: Lurkbox): Promise<string[]> {
  const names = await readdir(join(workspaceRoot, STATE_FOLDER, 'tmp')).catch(() => []);
  return names.filter((name) => name.includes(`-${process.pid}.`));
}

const QUIET_DEADLINE_MS = 3_000;

/** The engine tells of an end a little after it. */
async function untilQuiet(witness: EngineWitness, plugin: string): Promise<void> {
  const deadline = performance.now() + QUIET_DEADLINE_MS;
  while (performance.now() < deadline) {
    const own = witness.events.filter(({ labels }) => labels[LABELS.plugin] === plugin);
    const count = (wanted: string): number => own.filter(({ action }) => action === wanted).length;
    if (count('create') > 0 && count('destroy') === count('create')) return;
    await delay(20);
  }
}

async function findLeft(engine: ContainerEngine, plugin: string): Promise<string[]> {
  const label = `${LABELS.plugin}=${plugin}`;
  const containers = await engine.listContainers(label);
  const networks = await engine.listNetworks(label);
  const images = await engine.listImages(label);
  return [
    ...containers.map(({ id, names }) => `container ${names[0] ?? id}`),
    ...networks.map(({ name }) => `network ${name}`),
    ...images.map(({ id, tags }) => `image ${tags[0] ?? id}`),
  ];
}

function countStarts({ events }: EngineWitness, plugin: string): Record<string, number> {
  const starts: Record<string, number> = {};
  for (const { action, labels } of events) {
    const execution = labels[LABELS.execution];
    if (action !== 'start' || labels[LABELS.plugin] !== plugin || execution === undefined) continue;
    starts[execution] = (starts[execution] ?? 0) + 1;
  }
  return starts;
}

// Of an image of lurkbox others may make containers, which have its labels too.
function isTheirs({ labels }: { readonly labels: Readonly<Record<string, string>> }): boolean {
  return labels[LABELS.kind] !== 'container';
}

/** What others made before or meanwhile, and a call of this process named. */
function findTouched({ events, calls }: EngineWitness, listed: ReadonlySet<string>): string[] {
  const made = events.filter((event) => event.action === 'create' && isTheirs(event));
  const theirs = new Set([...listed, ...made.flatMap(({ id, name }) => [id, name])]);
  return calls
    .filter(({ container }) => theirs.has(container))
    .map(({ call, container }) => `${call} ${container}`);
}
