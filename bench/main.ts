// node bench/main.ts [--quick] [--only cold,warm] [--save]
// Measures lurkbox beside what else executes a plugin, and writes what was measured, a report of it and its plots to
// bench/results/. `--quick` measures little, to bench/results/quick/; with `--save`, over the results that are checked in.
// A target that is not met is a result; only what could not be measured makes the exit code 1.

import { parseArgs } from 'node:util';
import { reportError } from '../src/cli/exit.ts';
import { print, tell } from '../src/cli/output.ts';
import { describeMachine } from './machine.ts';
import { describeFailures, describeTargets, writeReport } from './report.ts';
import {
  CELL_NAMES,
  CELLS,
  type CellName,
  QUICK_FOLDER,
  RESULTS_FOLDER,
  readResults,
  writeResult,
} from './results.ts';
import { FULL, QUICK } from './scale.ts';
import { createStage } from './stage.ts';

interface Options {
  readonly quick: boolean;
  readonly cells: readonly CellName[];
  readonly folder: string;
}

// Not everything that is waited for here keeps a process alive by itself.
const alive = setInterval(() => {}, 60_000);
process.exitCode = await bench(readOptions()).catch(reportError);
clearInterval(alive);

async function bench({ quick, cells, folder }: Options): Promise<number> {
  tell('Building the images …');
  const failed: Partial<Record<CellName, string>> = {};
  {
    await using stage = await createStage();
    process.once('SIGINT', async () => {
      await stage[Symbol.asyncDispose]();
      process.exit(130);
    });
    const scale = quick ? QUICK : FULL;
    await writeResult(folder, 'machine', await describeMachine(stage, quick ? 'quick' : 'full'));
    for (const [id, reason] of Object.entries(stage.missing)) tell(`Without ${id}: ${reason}`);
    for (const cell of cells) {
      const startedAt = performance.now();
      try {
        const say = (text: string): void => showProgress(`${cell}: ${text}`);
        await writeResult(folder, cell, await CELLS[cell]({ stage, scale, tell: say }));
        tell(`${cell}: measured in ${Math.round((performance.now() - startedAt) / 1000)} s`);
      } catch (error) {
        failed[cell] = (error as Error).message;
        tell(`${cell}: ${failed[cell]}`);
      }
    }
    const missing = { ...stage.missing };
    await writeResult(folder, 'failed', { ...failed, ...missing });
  }
  await writeReport(folder);
  const results = await readResults(folder);
  for (const line of describeTargets(results)) print(line);
  const failures = describeFailures(results);
  for (const line of failures) tell(line);
  return Object.keys(failed).length > 0 || failures.some((line) => line.includes('lurkbox')) ? 1 : 0;
}

/** Only where somebody watches. */
function showProgress(text: string): void {
  if (process.stderr.isTTY) process.stderr.write(`\r\u001b[K${text}`);
}

function readOptions(): Options {
  const { values } = parseArgs({
    options: {
      quick: { type: 'boolean', default: false },
      save: { type: 'boolean', default: false },
      only: { type: 'string' },
    },
  });
  const cells = values.only === undefined ? CELL_NAMES : values.only.split(',').map(parseCell);
  const folder = values.quick && !values.save ? QUICK_FOLDER : RESULTS_FOLDER;
  return { quick: values.quick, cells, folder };
}

function parseCell(name: string): CellName {
  const cell = CELL_NAMES.find((known) => known === name);
  if (cell !== undefined) return cell;
  throw new Error(`Expected \`--only\` to name cells of ${CELL_NAMES.join(', ')}, got ${name}.`);
}
