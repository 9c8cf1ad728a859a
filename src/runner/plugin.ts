import { pathToFileURL } from 'node:url';
import { keys, reflectGet } from './primordials.ts';

export type Execute = (context: unknown, host: unknown) => unknown;

/**
 * Loads the plugin and finds its `execute`: exported by name, as the default export, or as a property of it, which is
 * what `module.exports = { execute }` becomes.
 */
export async function loadExecute(entryPoint: string): Promise<Execute> {
  const plugin = (await import(pathToFileURL(entryPoint).href)) as Record<string, unknown>;
  const candidates = [plugin['execute'], plugin['default'], propertyOf(plugin['default'], 'execute')];
  const execute = candidates.find((candidate) => typeof candidate === 'function');
  if (execute === undefined) {
    const names = keys(plugin).join(', ') || 'nothing';
    throw new TypeError(
      `expected the plugin to export a function \`execute(context, host)\`, it exports ${names}`,
    );
  }
  return execute as Execute;
}

function propertyOf(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null ? reflectGet(value, name) : undefined;
}
