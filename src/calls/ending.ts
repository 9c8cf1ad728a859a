import type { ContainerExit } from '../engine/engine.ts';
import { describeError, LurkboxError } from '../errors.ts';
import { escapeAndCut, escapeControlsInLines } from '../printable.ts';
import { HUNG_UP_EXIT_CODE, RUNNER_ERRORS } from '../protocol/messages.ts';
import type { RunnerMessage } from '../protocol/runner-message.ts';
import { toDetails } from './details.ts';
import { OUTCOMES, type Outcome, toOutcome } from './outcome.ts';
import type { ExecutionError } from './result.ts';

/** How an execution ended, before it is put together with what was measured. */
export type Ending =
  | { readonly outcome: 'OK'; readonly result: unknown }
  | { readonly outcome: Exclude<Outcome, 'OK'>; readonly error: ExecutionError };

export type FailedOutcome = Exclude<Outcome, 'OK'>;

/** Characters of a message about what happened: the problems of three schemas, or what an engine said. */
const MAX_DETAIL_CHARS = 50_000;

/** The general sentence of the outcome with what happened this time, which may quote strangers. */
export function failed(outcome: FailedOutcome, detail: string, stack: string | null = null): Ending {
  const what = escapeAndCut(detail, MAX_DETAIL_CHARS);
  const message = what === '' ? OUTCOMES[outcome] : `${what}. ${OUTCOMES[outcome]}`;
  return { outcome, error: { code: outcome, message, stack, details: null, hint: null } };
}

export function endingOfError(error: unknown): Ending {
  if (error instanceof LurkboxError) {
    const outcome = toOutcome(error.code) as FailedOutcome;
    return {
      outcome,
      error: { code: error.code, message: describeError(error), stack: null, details: null, hint: null },
    };
  }
  const message = escapeAndCut(error instanceof Error ? error.message : String(error), MAX_MESSAGE_CHARS);
  const stack = error instanceof Error ? toStack(error.stack) : null;
  return {
    outcome: 'INTERNAL',
    error: {
      code: 'INTERNAL',
      message: `${OUTCOMES.INTERNAL} ${message}`,
      stack,
      details: null,
      hint: null,
    },
  };
}

/** As the runner cuts them; a plugin that writes a response of its own does not. */
const MAX_NAME_CHARS = 200;
const MAX_MESSAGE_CHARS = 4_000;
const MAX_STACK_CHARS = 16_000;

function toStack(stack: string | undefined): string | null {
  return stack ? escapeControlsInLines(stack.slice(0, MAX_STACK_CHARS)) : null;
}

/** An error response. The plugin may have written it itself, so its text counts as the plugin's, and may have lines. */
export function endingOfResponse({ code, message, data }: Extract<RunnerMessage, { kind: 'error' }>): Ending {
  if (code === RUNNER_ERRORS.noResult) return failed('NO_RESULT', message.slice(0, MAX_MESSAGE_CHARS));
  if (code === RUNNER_ERRORS.overLimit) return failed('OUTPUT_LIMIT', message.slice(0, MAX_MESSAGE_CHARS));
  const name = data?.name ? `${data.name.slice(0, MAX_NAME_CHARS)}: ` : '';
  return {
    outcome: 'PLUGIN_ERROR',
    error: {
      code: 'PLUGIN_ERROR',
      message: escapeControlsInLines(`${name}${message.slice(0, MAX_MESSAGE_CHARS)}`),
      stack: toStack(data?.stack),
      details: toDetails(data?.details),
      hint: null,
    },
  };
}

/** What V8 says on stderr when its heap is full; then it aborts, which never is exit code 0. */
const HEAP_IS_FULL = /JavaScript heap out of memory|Reached heap limit|invalid table size Allocation failed/;

export function tellsHeapIsFull(line: string): boolean {
  return HEAP_IS_FULL.test(line);
}

const SIGNALS: Readonly<Record<number, string>> = {
  4: 'SIGILL',
  5: 'SIGTRAP',
  6: 'SIGABRT',
  9: 'SIGKILL',
  11: 'SIGSEGV',
  24: 'SIGXCPU',
  25: 'SIGXFSZ',
};

/** A response that answers nothing: a plugin can write one, and no honest runner does. */
export function unasked(id: number): Ending {
  return failed('PROTOCOL_ERROR', `a response came to request ${id}, which nobody waits for`);
}

/** Nobody hears the container any more. */
export function lost(): Ending {
  return failed(
    'ENGINE_LOST',
    'The connection to the container broke; look at the log of the engine, and at what stands before it',
  );
}

/** What the orchestrator knows of an end, beside the engine's record. */
export interface EndEvidence {
  /** As the plugin's stderr says; a hint between two outcomes that are both the plugin's fault. */
  readonly heapWasFull: boolean;
  /** The connection was cut, which no container can bring about: in the middle of a frame, or by a reset. */
  readonly wasCut: boolean;
  /** Code of the plugin may have run: from then on an exit code is the word of the plugin. */
  readonly hasRun: boolean;
}

/** The end of a killed engine's container, of one whose input ended, and what an engine says that does not know. */
const EXITS_OF_LOST_ONES = [0, 255, HUNG_UP_EXIT_CODE];

/**
 * A container that ended without an answer. An exit code alone never takes the blame from the plugin, which can end with
 * any: the engine is at fault only where its own record or the connection says so, or where no code of the plugin has run.
 */
export function endingOfExit(
  exit: ContainerExit,
  memoryBytes: number,
  { heapWasFull, wasCut, hasRun }: EndEvidence,
): Ending {
  const megabytes = Math.floor(memoryBytes / (1024 * 1024));
  if (exit.outOfMemory)
    return failed('OUT_OF_MEMORY', `The kernel ended the container at its limit of ${megabytes} MB`);
  if (exit.endedByEngine) {
    return failed(
      'ENGINE_LOST',
      'The engine ended the container: it stopped or restarted, or somebody told it to; look at its log',
    );
  }
  if (exit.exitCode !== 0 && heapWasFull) {
    return failed('OUT_OF_MEMORY', `The heap of V8 was full; the container has ${megabytes} MB in all`);
  }
  if (wasCut && EXITS_OF_LOST_ONES.includes(exit.exitCode)) return lost();
  // Only the runner itself can have ended it so: its input was closed, and not by this side.
  if (!hasRun && exit.exitCode === HUNG_UP_EXIT_CODE) return lost();
  if (exit.exitCode === 0) return failed('NO_RESULT', 'The process ended with exit code 0');
  const signal = SIGNALS[exit.exitCode - 128];
  const known = exit.exitCode === HUNG_UP_EXIT_CODE ? 'as if its input had been closed' : signal;
  const detail = `The process ended with exit code ${exit.exitCode}${known === undefined ? '' : ` (${known})`}`;
  return failed('PLUGIN_CRASHED', exit.error === '' ? detail : `${detail}: ${exit.error}`);
}
