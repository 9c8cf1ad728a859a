import type { PluginExecutionResult } from '../calls/result.ts';
import { escapeAndCut, escapeControls } from '../printable.ts';

export interface FormatOptions {
  /** Characters of one result; the rest is cut, with a mark that says so. @default 100000 */
  readonly maxCharsPerResult?: number;
}

/** What a prompt can take; a plugin may return more than that by the megabyte. */
const MAX_CHARS_PER_RESULT = 100_000;

/**
 * Results as the block of text that goes into an agent's prompt. Each value stands on one line of its own, in JSON or
 * with every control and steering character escaped, so that nothing a plugin returns can begin a line, and with it
 * another plugin's block.
 *
 * Answers an empty string when there is no result.
 */
export function formatPluginResults(
  results: Readonly<Record<string, PluginExecutionResult>>,
  { maxCharsPerResult = MAX_CHARS_PER_RESULT }: FormatOptions = {},
): string {
  const blocks = Object.entries(results).map(([name, result]) =>
    formatBlock(name, result, maxCharsPerResult),
  );
  return blocks.length === 0 ? '' : ['=== Plugin Execution Results ===', ...blocks].join('\n\n');
}

function formatBlock(
  name: string,
  { success, result, error, executionTimeMs }: PluginExecutionResult,
  maxChars: number,
): string {
  return [
    `[${toHeading(name)}]`,
    `Status: ${success ? 'Success' : 'Failed'}`,
    success
      ? `Result: ${toSpacedJson(result, maxChars)}`
      : `Error: ${escapeAndCut(`${error?.code}: ${error?.message}`, maxChars)}`,
    `Execution Time: ${Number((executionTimeMs / 1000).toFixed(3))}s`,
  ].join('\n');
}

// A result of `PLUGIN_NOT_FOUND` has the name that the caller asked for, and a model may have made that up.
function toHeading(name: string): string {
  return escapeControls(name.slice(0, 64)).replace(/[[\]]/g, '').slice(0, 64);
}

/**
 * JSON on one line with a blank after each comma and colon, as in the plugin system that this one rebuilds. What would be
 * longer than `maxChars` is cut there, with a mark that says so.
 */
export function toSpacedJson(value: unknown, maxChars: number = Number.POSITIVE_INFINITY): string {
  let text = '';
  for (const part of spacedJson(value, maxChars)) {
    text += part;
    if (text.length <= maxChars) continue;
    // A half of a character would become another one on the way to the model.
    return `${text.slice(0, maxChars).replace(/[\ud800-\udbff]$/, '')}… (cut after ${maxChars} characters)`;
  }
  return text;
}

/** Part by part, none of them much longer than `maxChars`, so that what is cut away was never made. */
function* spacedJson(value: unknown, maxChars: number): Generator<string> {
  if (Array.isArray(value)) {
    yield '[';
    for (const [index, entry] of value.entries()) {
      if (index > 0) yield ', ';
      yield* spacedJson(entry, maxChars);
    }
    yield ']';
  } else if (typeof value === 'object' && value !== null) {
    let separator = '{';
    // Not its entries: of an object of a hundred thousand members a few are shown.
    for (const key of Object.keys(value)) {
      yield separator;
      yield* spacedJson(key, maxChars);
      yield ': ';
      yield* spacedJson((value as Record<string, unknown>)[key], maxChars);
      separator = ', ';
    }
    yield separator === '{' ? '{}' : '}';
  } else {
    const short = typeof value === 'string' ? value.slice(0, maxChars + 1) : value;
    yield escapeControls(JSON.stringify(short) ?? 'null');
  }
}
