import { constants, fstatSync } from 'node:fs';
import { setTimeout as sleep, setImmediate as turn } from 'node:timers/promises';
import { Folder } from '../storage/folder.ts';
import { type AuditReport, ChainCheck } from './chain-check.ts';
import { fileName, listFiles, openFile, readLines } from './files.ts';
import { type HeadState, readHead } from './head.ts';

export interface VerifyOptions {
  /** Hash of a record that has to be in the chain: the `lastHash` of an earlier report. */
  readonly expect?: string;
}

const BYTES_PER_TURN = 256 * 1024;
/** How long a process may take between writing a record and saving the head. */
const HEAD_LAG_MS = 300;
/** A log that is rotated or written to without end is not verified for ever. */
const MAX_ATTEMPTS = 10;

/**
 * Reads a whole audit log and tells everything that is not as it was written. Whatever it reads becomes a problem in the report
 * and is not thrown; one line at a time is in memory. Others may write meanwhile: what they add is read, or not.
 */
export async function verifyAuditLog(path: string, { expect }: VerifyOptions = {}): Promise<AuditReport> {
  const { value: folder, message } = tryTo(() => Folder.open(path));
  if (folder === null) {
    const check = new ChainCheck(null, expect);
    check.report(`cannot be read: ${message}`);
    return check.toReport(true);
  }
  using _ = folder;
  for (let attempt = 1; ; attempt++) {
    const written = lastWritten(folder);
    const state = tryTo(() => readHead(folder));
    const check = new ChainCheck(state.value, expect);
    if (state.value === null) check.report(`cannot be read: ${folder.explain(state.message)}`);
    const isOutdated = (await checkFiles(folder, state.value, check)) === 'outdated';
    if (isOutdated && attempt < MAX_ATTEMPTS) continue;
    check.end();
    if (!check.hasDoubts || (await hasMoved(folder, state.value))) return check.toReport(false);
    // On a full disk a writer takes back half a line, again and again, and the head stays where it is.
    if (lastWritten(folder) === written || attempt === MAX_ATTEMPTS) return check.toReport(true);
  }
}

/** `outdated`: a file was removed, as old ones are, before it could be read. */
async function checkFiles(
  folder: Folder,
  state: HeadState | null,
  check: ChainCheck,
): Promise<'done' | 'outdated'> {
  const last = state?.head.file ?? 0;
  let due = state?.first.number ?? 1;
  // Files before the first one are leftovers of a removal.
  for (const number of tryTo(() => listFiles(folder)).value ?? []) {
    if (number < due) continue;
    if (isMissing(due, Math.min(number - 1, last), check) && wasRotatedOut(folder, due)) return 'outdated';
    check.beginFile(fileName(number));
    const fault = await checkFile(folder, fileName(number), check);
    if (fault === null) check.countFile();
    else if (wasRotatedOut(folder, number)) return 'outdated';
    else check.report(folder.explain(fault));
    due = number + 1;
  }
  return isMissing(due, last, check) && wasRotatedOut(folder, due) ? 'outdated' : 'done';
}

/** Reports that these files are missing, unless there is none between the two numbers. */
function isMissing(from: number, to: number, check: ChainCheck): boolean {
  if (from > to) return false;
  check.beginFile(fileName(from));
  check.report(from === to ? 'is missing' : `is missing, and so are the files up to ${fileName(to)}`);
  return true;
}

/** Answers why it could not be read, or `null`. */
async function checkFile(folder: Folder, name: string, check: ChainCheck): Promise<string | null> {
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

function wasRotatedOut(folder: Folder, number: number): boolean {
  const first = tryTo(() => readHead(folder)).value?.first;
  return first !== undefined && first.number > number;
}

/** When the newest file was written to, in nanoseconds; `null` where nobody can tell. */
function lastWritten(folder: Folder): bigint | null {
  return tryTo(() => {
    using file = openFile(folder, fileName(listFiles(folder).at(-1) as number), constants.O_RDONLY);
    return fstatSync(file.descriptor, { bigint: true }).mtimeNs;
  }).value;
}

async function hasMoved(folder: Folder, before: HeadState | null): Promise<boolean> {
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
