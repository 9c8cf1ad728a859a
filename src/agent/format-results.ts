import type { PluginExecutionResult } from '../execution/result.ts';
import { harmless } from '../printable.ts';

/**
 * Results as the block of text that goes into an agent's prompt. Each value stands on one line of its own, in JSON or
 * with every control and steering character escaped, so that nothing a plugin returns can begin a line, and with it
 * another plugin's block.
 *
 * Answers an empty string when there is no result.
 */
export function formatPluginResults(results: Readonly<Record<string, PluginExecutionResult>>): string {
  const blocks = Object.entries(results).map(([name, result]) => formatBlock(name, result));
  return blocks.length === 0 ? '' : ['=== Plugin Execution Results ===', ...blocks].join('\n\n');
}

function formatBlock(
  name: string,
  { success, result, error, executionTimeMs }: PluginExecutionResult,
): string {
  return [
    `[${toHeading(name)}]`,
    `Status: ${success ? 'Success' : 'Failed'}`,
    success ? `Result: ${toSpacedJson(result)}` : `Error: ${harmless(`${error?.code}: ${error?.message}`)}`,
    `Execution Time: ${Number((executionTimeMs / 1000).toFixed(3))}s`,
  ].join('\n');
}

// A result of `PLUGIN_NOT_FOUND` has the name that the caller asked for, and a model may have made that up.
function toHeading(name: string): string {
  return harmless(name).replace(/[[\]]/g, '').slice(0, 64);
}

/** JSON on one line with a blank after each comma and colon, as in the plugin system that this one rebuilds. */
export function toSpacedJson(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(toSpacedJson).join(', ')}]`;
  if (typeof value === 'object' && value !== null) {
    return `{${Object.entries(value)
      .map(([key, entry]) => `${toSpacedJson(key)}: ${toSpacedJson(entry)}`)
      .join(', ')}}`;
  }
  return harmless(JSON.stringify(value) ?? 'null');
}
