// What `checker-process.ts` starts. It compiles the schemas of plugins and checks values, one job after the other, and may be
// ended in the middle of anything. Nothing of the orchestrator is in it: no environment, no secret, no other plugin's value.

import type { Problem } from '../errors.ts';
import { Compiler, UnusableSchema, type Validate } from './compiler.ts';
import { cutProblem, cutReason, MAX_PROBLEMS } from './cut.ts';
import { withinDeadline } from './deadline.ts';
import { FRAME_KINDS, FrameReader, toFrame } from './frames.ts';
import { type Answer, type JobMessage, MAX_JOB_BYTES, type ReplyMessage } from './messages.ts';
import { toProblems } from './problems.ts';
import type { JsonObject } from './subschemas.ts';

const compiler = new Compiler();
/** By id; of a schema that cannot be used, why. */
const known = new Map<string, Validate | readonly Problem[]>();
const reader = new FrameReader(MAX_JOB_BYTES);
let job: JobMessage | null = null;
let pieces: Buffer[] = [];
let values: Buffer[][] = [];

// Ctrl-C goes to everything in front of a terminal; the orchestrator decides what it ends.
process.on('SIGINT', () => {});
process.stdin.on('data', (chunk: Buffer) => {
  for (const { kind, bytes } of reader.push(chunk)) hear(kind, bytes);
});
// The orchestrator is gone.
process.stdin.on('end', () => process.exit());
process.stdin.on('error', () => process.exit());
process.stdout.on('error', () => process.exit());
process.stdout.write(toFrame(FRAME_KINDS.message, 'ready'));

function hear(kind: number, bytes: Buffer): void {
  if (kind === FRAME_KINDS.message) job = JSON.parse(bytes.toString()) as JobMessage;
  // A copy: what was read is part of something larger.
  else if (kind === FRAME_KINDS.piece) pieces.push(Buffer.from(bytes));
  else {
    values.push(pieces);
    pieces = [];
  }
  if (job === null || values.length < job.checks.filter(({ hasValue }) => hasValue).length) return;
  const reply = work(job, values);
  job = null;
  values = [];
  process.stdout.write(toFrame(FRAME_KINDS.message, JSON.stringify(reply)));
}

function work({ limitMs, forget, checks }: JobMessage, given: Buffer[][]): ReplyMessage {
  for (const id of forget) known.delete(id);
  const answers: Answer[] = [];
  let doing: 'compiling' | 'checking' = 'compiling';
  const end = withinDeadline(limitMs, () => {
    for (const check of checks) {
      doing = 'compiling';
      const parts = check.hasValue ? given.shift() : undefined;
      answers.push(
        answer(check, parts, () => {
          doing = 'checking';
        }),
      );
    }
  });
  if (end === 'late' && doing === 'compiling') compiler.reset();
  return { answers, late: end === 'late' ? doing : null };
}

function answer(
  { id, schema, quoting }: JobMessage['checks'][number],
  parts: Buffer[] | undefined,
  onCompiled: () => void,
): Answer {
  const compiled = known.get(id) ?? compile(schema ?? 'null');
  known.set(id, compiled);
  if (typeof compiled !== 'function') return { kind: 'unusable', problems: compiled };
  onCompiled();
  if (parts === undefined) return { kind: 'checked', problems: [] };
  try {
    const value: unknown = JSON.parse(Buffer.concat(parts).toString());
    const errors = compiled(value);
    return { kind: 'checked', problems: errors === null ? [] : toProblems(errors, value, quoting) };
  } catch (error) {
    return { kind: 'undecided', reason: `could not be checked: ${reasonOf(error)}; simplify the schema` };
  }
}

function compile(schema: string): Validate | readonly Problem[] {
  try {
    return compiler.compile(JSON.parse(schema) as JsonObject);
  } catch (error) {
    if (error instanceof UnusableSchema) return error.problems.slice(0, MAX_PROBLEMS).map(cutProblem);
    return [{ path: '', message: reasonOf(error) }];
  }
}

function reasonOf(error: unknown): string {
  return cutReason(error instanceof Error ? error.message : String(error));
}
