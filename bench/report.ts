// node bench/report.ts [folder]
// Makes the report and the plots of a folder of results again, without measuring. Why a target is not met is written by
// hand, in bench/explanations.json, under the id of the target.

import { readFile, rm, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { formatNumber, toTable } from './format.ts';
import { PLOTS } from './plots.ts';
import { CELL_NAMES, type CellName, RESULTS_FOLDER, type Results, readResults } from './results.ts';
import { SECTIONS } from './sections.ts';
import { type Judged, judge } from './targets.ts';

const EXPLANATIONS = join(import.meta.dirname, 'explanations.json');

if (import.meta.main) await writeReport(resolve(process.argv[2] ?? RESULTS_FOLDER));

export async function writeReport(folder: string): Promise<void> {
  const results = await readResults(folder);
  const explanations: Record<string, string> = JSON.parse(await readFile(EXPLANATIONS, 'utf8'));
  await writeFile(join(folder, 'report.md'), toReport(results, explanations));
  for (const [name, draw] of Object.entries(PLOTS)) {
    const svg = draw(results);
    if (svg === null) await rm(join(folder, name), { force: true });
    else await writeFile(join(folder, name), svg);
  }
}

/** A line for each target, for a terminal. */
export function describeTargets(results: Results): string[] {
  return judge(results).map((target) => {
    const sign = { met: '✔', 'not met': '✖', 'not measured': '–' }[target.verdict];
    return `${sign} ${target.title.replaceAll('`', '')}: ${measured(target)}, ${wanted(target)}`;
  });
}

function toReport(results: Results, explanations: Readonly<Record<string, string>>): string {
  const targets = judge(results);
  const parts = [
    '# Benchmark',
    'Made by `make bench` from the JSON files beside it; the explanations of what is not met are by hand.',
    ...toMachine(results),
    '## How to repeat it',
    'As root on a quiet machine: `make bench` measures everything, `make bench-quick` everything in little, ' +
      '`node bench/main.ts --only cold,warm` single cells, and `node bench/report.ts` makes this report again. Peers are measured ' +
      'in turn, in random order within each round, and the first round does not count. All execute the same plugin in the same ' +
      'image under the same options: it gives back a payload of 1 KB that no other call had, and every answer is compared. Every ' +
      'call of lurkbox is checked to have had a container of the kind that is claimed, and a fresh one to have served no other.',
    '## Targets',
    toTable(
      ['', 'measured', 'wanted', ''],
      targets.map((target) => [target.title, measured(target), wanted(target), verdictOf(target)]),
    ),
    ...toExplanations(targets, explanations),
    ...toFailures(results),
    ...CELL_NAMES.flatMap((name) => toSection(name, results)),
  ];
  return `${parts.join('\n\n')}\n`;
}

function toMachine({ machine }: Results): string[] {
  if (machine === undefined) return [];
  const { scale, fsyncMs, ...facts } = machine;
  const lines = Object.entries({
    ...facts,
    fsync: fsyncMs === null ? 'unknown' : `${formatNumber(fsyncMs)} ms on the data root of the engine`,
  }).map(([name, value]) => `- ${name}: ${value}`);
  const remark = 'Measured with `--quick`, which is too little to say anything of the figures.';
  return ['## Machine', ...(scale === 'quick' ? [remark] : []), lines.join('\n')];
}

function toExplanations(
  targets: readonly Judged[],
  explanations: Readonly<Record<string, string>>,
): string[] {
  const missed = targets.filter(({ verdict }) => verdict === 'not met');
  return missed.flatMap(({ id, title }) => [
    `**Not met: ${title}.** ${explanations[id] ?? `Not explained yet (\`${id}\` in bench/explanations.json).`}`,
  ]);
}

function toFailures(results: Results): string[] {
  const lines = describeFailures(results).map((line) => `- ${line}`);
  return lines.length === 0 ? [] : ['## What could not be measured', lines.join('\n')];
}

/** What could not be measured, and why. */
export function describeFailures(results: Results): string[] {
  const cells = Object.entries(results.failed ?? {}).map(([what, reason]) => `${what}: ${reason}`);
  const ways = CELL_NAMES.flatMap((name) =>
    Object.entries(results[name]?.failures ?? {}).map(
      ([way, reason]) => `${way}, left out of “${SECTIONS[name].title}”: ${reason}`,
    ),
  );
  return [...cells, ...ways];
}

function toSection(name: CellName, results: Results): string[] {
  const { title, about, plot, body } = SECTIONS[name];
  if (results[name] === undefined) return [`## ${title}`, 'Not measured.'];
  return [`## ${title}`, about, ...(plot === undefined ? [] : [`![${title}](${plot})`]), ...body(results)];
}

function measured({ value, unit }: Judged): string {
  return `${formatNumber(value)} ${value === undefined ? '' : unit}`.trim();
}

function wanted({ bound, limit, unit }: Judged): string {
  return `${bound} ${limit} ${unit}`.trim();
}

function verdictOf({ verdict }: Judged): string {
  return verdict === 'not met' ? '**not met**' : verdict;
}
