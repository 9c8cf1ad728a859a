import { describeError, LurkboxError, type LurkboxErrorCode, USER_ERROR_CODES } from '../errors.ts';
import { escapeControlsInLines } from '../printable.ts';
import { tell } from './output.ts';

/** What the process says to a script. */
export const EXIT = {
  ok: 0,
  /** An execution was not OK, or something failed that is none of the two below. */
  failed: 1,
  /** Bad usage, manifest, policy, context or dependency. */
  usage: 2,
  noEngine: 3,
  /** `doctor --attack`: nothing fell, and not everything could be carried out. */
  notCarriedOut: 4,
} as const;

export function exitCodeOf(code: LurkboxErrorCode): number {
  if (code === 'ENGINE_UNAVAILABLE') return EXIT.noEngine;
  return Object.hasOwn(USER_ERROR_CODES, code) ? EXIT.usage : EXIT.failed;
}

/** Prints the error and returns its exit code. */
export function reportError(error: unknown): number {
  // Several plugins that cannot be loaded, each with its own problems.
  if (error instanceof AggregateError) return Math.max(...error.errors.map(reportError));
  if (error instanceof LurkboxError) {
    tell(escapeControlsInLines(`lurkbox: ${describeError(error)}`));
    return exitCodeOf(error.code);
  }
  tell(
    indentLines(
      `lurkbox: a fault of lurkbox itself: ${error instanceof Error ? error.stack : String(error)}`,
    ),
  );
  return EXIT.failed;
}

// A fault has whatever lines it has: none of them begins at the margin.
function indentLines(text: string): string {
  return escapeControlsInLines(text).replaceAll('\n', '\n  ');
}
