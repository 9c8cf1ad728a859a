import { constants } from 'node:fs';
import { setTimeout as sleep, setImmediate as turn } from 'node:timers/promises';
import { Folder } from '../storage/folder.ts';
import { ChainCheck } from './chain-check.ts';
import { fileName, listFiles, openFile, readLines } from './files.ts';
import { type FileStart, type HeadState, readHead } from './head.ts';
import type { AuditReport } from './report.ts';

export interface VerifyOptions {
  /** Hash of a record that has to be in the chain: the `lastHash` of an earlier report. */
  readonly expect?: string;
}

const BYTES_PER_TURN = 256 * 1024;
/** How long a process may take between writing a record and saving the head. */
const HEAD_LAG_MS = 300;

/** A log that is rotated faster than it can be read is not verified for ever. */
const MAX_ATTEMPTS = 10;

/**
 * Reads a whole audit log and tells everything that is not as it was written. Whatever it reads becomes a problem in the report
 * and is not thrown; one line at a time is in memory. Others may write meanwhile: what they add is read, or not.
 */
export async function verifyAuditLog(folder: string, options: VerifyOptions = {}): Promise<AuditReport> {
  for (let attempt = 1; ; attempt++) {
    const { report, isOutdated } = await verifyOnce(folder, options);
    if (!isOutdated || attempt === MAX_ATTEMPTS) return report;
  }
}

interface Verification {
  readonly report: AuditReport;
  /** Whether a file was removed, as old ones are, before it could be read. */
  readonly isOutdated: boolean;
}

async function verifyOnce(path: string, options: VerifyOptions): Promise<Verification> {
  const { value: held, message } = tryTo(() => Folder.open(path));
  if (held === null) {
    const check = new ChainCheck(null, options.expect);
    check.report(`cannot be read: ${message}`);
    return { report: check.toReport(true), isOutdated: false };
  }
  using _ = held;
  const { report, isOutdated } = await verifyIn(held.here, options);
  const problems = report.problems.map((problem) => ({
    ...problem,
    message: held.explain(problem.message),
  }));
  return { report: { ...report, problems }, isOutdated };
}

async function verifyIn(folder: string, { expect }: VerifyOptions): Promise<Verification> {
  const state = tryTo(() => readHead(folder));
  const check = new ChainCheck(state.value?.head ?? null, expect);
  if (state.value === null) check.report(`cannot be read: ${state.message}`);
  const isOutdated = (await checkFiles(folder, state.value, check)) === 'outdated';
  check.end();
  const isReal = !check.hasDoubts || !(await hasMoved(folder, state.value));
  return { report: check.toReport(isReal), isOutdated };
}

async function checkFiles(
  folder: string,
  state: HeadState | null,
  check: ChainCheck,
): Promise<'done' | 'outdated'> {
  const starts = new Map(state?.files.map((start) => [start.number, start]));
  for (const number of filesToRead(folder, starts)) {
    const name = fileName(number);
    check.beginFile(name, starts.get(number) ?? null);
    const fault = await checkFile(folder, name, check);
    if (fault === null) check.countFile();
    else if (wasRotatedOut(folder, number)) return 'outdated';
    else check.report(fault);
  }
  return 'done';
}

/** What the head knows, and what is there; files before its first one are leftovers of a removal. */
function filesToRead(folder: string, starts: ReadonlyMap<number, FileStart>): number[] {
  const first = Math.min(...starts.keys());
  const there = tryTo(() => listFiles(folder)).value ?? [];
  const kept = starts.size === 0 ? there : there.filter((number) => number >= first);
  return [...new Set([...starts.keys(), ...kept])].sort((one, other) => one - other);
}

/** Answers why it could not be read, or `null`. */
async function checkFile(folder: string, name: string, check: ChainCheck): Promise<string | null> {
  const opened = tryTo(() => openFile(folder, name, constants.O_RDONLY));
  if (opened.value === null) return `cannot be read: ${opened.message}`;
  using file = opened.value;
  let turnedAt = 0;
  for (const line of readLines(file.descriptor)) {
    check.takeLine(line);
    if (line.end - turnedAt < BYTES_PER_TURN) continue;
    turnedAt = line.end;
    await turn();
  }
  return null;
}

function wasRotatedOut(folder: string, number: number): boolean {
  const first = tryTo(() => readHead(folder)).value?.files[0];
  return first !== undefined && first.number > number;
}

async function hasMoved(folder: string, before: HeadState | null): Promise<boolean> {
  await sleep(HEAD_LAG_MS);
  const now = tryTo(() => readHead(folder)).value;
  return now !== null && before !== null && now.head.seq > before.head.seq;
}

type Attempt<Value> =
  | { readonly value: Value; readonly message: '' }
  | { readonly value: null; readonly message: string };

function tryTo<Value>(work: () => Value): Attempt<Value> {
  try {
    return { value: work(), message: '' };
  } catch (error) {
    return { value: null, message: error instanceof Error ? error.message : String(error) };
  }
}
