import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { measureBurst } from './cells/burst.ts';
import type { Cell } from './cells/cell.ts';
import { measureCold } from './cells/cold.ts';
import { measureDuration } from './cells/duration.ts';
import { measureLoading } from './cells/loading.ts';
import { measureMemory } from './cells/memory.ts';
import { measureQueue } from './cells/queue.ts';
import { measureRegistered } from './cells/registered.ts';
import { measureReuse } from './cells/reuse.ts';
import { measureSchemas } from './cells/schemas.ts';
import { measureStages } from './cells/stages.ts';
import { measureSustained } from './cells/sustained.ts';
import { measureTen } from './cells/ten.ts';
import { measureTricks } from './cells/tricks.ts';
import { measureWarm } from './cells/warm.ts';
import type { Machine } from './machine.ts';

/** Every cell, in the order in which they are measured and told. Its name is that of its file of results. */
export const CELLS = {
  cold: measureCold,
  warm: measureWarm,
  sustained: measureSustained,
  burst: measureBurst,
  ten: measureTen,
  duration: measureDuration,
  memory: measureMemory,
  queue: measureQueue,
  registered: measureRegistered,
  schemas: measureSchemas,
  reuse: measureReuse,
  stages: measureStages,
  tricks: measureTricks,
  loading: measureLoading,
};
export type CellName = keyof typeof CELLS;
export const CELL_NAMES = Object.keys(CELLS) as CellName[];

type ResultOf<Measure> = Measure extends Cell<infer Result> ? Result : never;
type Measured<Result> = Result & { readonly failures?: Readonly<Record<string, string>> };

/** What a file of results holds; a cell that failed as a whole says why. */
export type Results = { readonly [Name in CellName]?: Measured<ResultOf<(typeof CELLS)[Name]>> } & {
  readonly machine?: Machine;
  readonly failed?: Readonly<Partial<Record<CellName, string>>>;
};

export const RESULTS_FOLDER = join(import.meta.dirname, 'results');
export const QUICK_FOLDER = join(RESULTS_FOLDER, 'quick');

const DIGITS = 5;

export async function writeResult(folder: string, name: string, result: unknown): Promise<void> {
  await mkdir(folder, { recursive: true });
  const json = JSON.stringify(result, (_, value) => (typeof value === 'number' ? round(value) : value), 2);
  // A list of numbers is one line.
  const short = json.replace(/\[\s+(?:[-\d.e+]+|null)(?:,\s+(?:[-\d.e+]+|null))*\s+\]/g, (list) =>
    list.replace(/\s+/g, ' '),
  );
  await writeFile(join(folder, `${name}.json`), `${short}\n`);
}

/** What was measured so far; whatever was not is left out. */
export async function readResults(folder: string): Promise<Results> {
  const entries = await Promise.all(
    [...CELL_NAMES, 'machine', 'failed'].map(async (name) => [name, await readJson(folder, name)]),
  );
  return Object.fromEntries(entries.filter(([, value]) => value !== null));
}

async function readJson(folder: string, name: string): Promise<unknown> {
  try {
    return JSON.parse(await readFile(join(folder, `${name}.json`), 'utf8'));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw error;
  }
}

function round(value: number): number {
  return Number.isFinite(value) ? Number(value.toPrecision(DIGITS)) : value;
}
