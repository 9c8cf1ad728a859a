import type { AttackReport, AttackSummary, Lurkbox } from '../index.ts';
import { escapeControls } from '../printable.ts';
import { EXIT } from './exit.ts';
import { interruption } from './interruption.ts';
import { formatMs, paint, print } from './output.ts';
import type { Progress } from './progress.ts';

/** Attacks the sandbox; Ctrl-C ends that, and leaves nothing. */
export async function attack(lurkbox: Lurkbox, progress: Progress): Promise<AttackSummary> {
  const { attackEngine } = await import('../attack/index.ts');
  const summary = await attackEngine(lurkbox, {
    signal: interruption(),
    onReport: (_, { done, all }) => {
      // Until then it is told what is built for it.
      if (done === 1) progress.begin('Attacking');
      progress.update(`Attacking: ${done} of ${all} attacks`);
    },
  });
  progress.end();
  return summary;
}

/** A fall outweighs what nobody could tell. */
export function exitCodeOfAttacks(summary: AttackSummary | null): number {
  if (summary === null || summary.notHeld > 0) return EXIT.failed;
  if (summary.ok) return EXIT.ok;
  return summary.notTried > 0 ? EXIT.notCarriedOut : EXIT.failed;
}

/** A line for each attack under its area, and why below those that did not hold. */
export function showAttacks(summary: AttackSummary | null): void {
  if (summary === null) {
    print('Nothing was attacked.');
    return;
  }
  for (const [area, reports] of Map.groupBy(summary.attacks, (report) => report.area)) {
    print(`\n${paint('bold', area)}`);
    for (const report of reports) print(describe(report));
  }
  print(`\n${describeSum(summary)}`);
}

function describe(report: AttackReport): string {
  const { promises, title, durationMs, verdict, expected, got } = report;
  const line = `${MARKS[verdict]()} ${paint('dim', promises.join(' '))} ${title}`;
  if (verdict === 'held')
    return durationMs === 0 ? line : `${line} ${paint('dim', `(${formatMs(durationMs)})`)}`;
  if (verdict === 'not here') return `${line}: not here, ${escapeControls(got ?? '')}`;
  const evidence = [expected === null ? '' : `expected ${expected}`, `got ${got}`];
  const why = verdict === 'not tried' ? [`could not be carried out: ${got}`] : evidence.filter(Boolean);
  return [line, ...why.map((text) => `    ${escapeControls(text)}`)].join('\n');
}

const MARKS: Readonly<Record<AttackReport['verdict'], () => string>> = {
  held: () => paint('green', '✔'),
  'not held': () => paint('red', '✖'),
  'not tried': () => paint('yellow', '?'),
  'not here': () => paint('yellow', '·'),
};

function describeSum({ runtime, held, notHeld, notTried, notHere, durationMs }: AttackSummary): string {
  const tried = held + notHeld + notTried;
  const parts = [
    `${held} of ${tried} attacks held in ${(durationMs / 1000).toFixed(1)} s, on the runtime ${runtime}.`,
    notHeld === 0 ? '' : `${notHeld} did not.`,
    notTried === 0 ? '' : `${notTried} could not be carried out, which says nothing of whether they hold.`,
    notHere === 0 ? '' : `${notHere} not applicable here.`,
    notTried === 0 ? '' : 'Run it again when the host has less to do, or on one that is faster.',
  ];
  return parts.filter(Boolean).join(' ');
}
