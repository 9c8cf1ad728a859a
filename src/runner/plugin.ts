import * as fs from 'node:fs';
import { Module } from 'node:module';
import { dirname } from 'node:path';
import { pathToFileURL } from 'node:url';
import { construct, keys, reflectApply, reflectGet, slice, sourceOf, startsWith } from './primordials.ts';
import { locateSyntaxError } from './syntax-errors.ts';

export type Execute = (context: unknown, host: unknown) => unknown;

// Node's own, which no type names.
const nodeModulePaths = (Module as unknown as { _nodeModulePaths(folder: string): string[] })
  ._nodeModulePaths;

/** How deep the default export of a default export is looked for: compilers wrap one module in another. */
const MAX_DEFAULTS = 3;
const MAX_SHOWN_CHARS = 300;

/** Loads the plugin and finds its `execute`. */
export async function loadExecute(entryPoint: string): Promise<Execute> {
  nameMain(entryPoint);
  if (hasSourceMap(entryPoint)) process.setSourceMapsEnabled(true);
  const plugin = await importPlugin(pathToFileURL(entryPoint).href);
  const execute = await findExecute(plugin);
  if (execute !== null) return execute;
  throw new TypeError(
    `expected the plugin to export a function \`execute(context, host)\`, or as default such a function, an object or a class that has it; it exports ${describeExports(plugin)}`,
  );
}

/** Whether a bundler wrote at the end of it where its lines come from: then stacks have the lines of the author. */
function hasSourceMap(entryPoint: string): boolean {
  try {
    const text = fs.readFileSync(entryPoint, 'latin1');
    return text.includes('\n//# sourceMappingURL=');
  } catch {
    return false;
  }
}

async function importPlugin(url: string): Promise<Record<string, unknown>> {
  try {
    return (await import(url)) as Record<string, unknown>;
  } catch (error) {
    await locateSyntaxError(error, url);
    throw error;
  }
}

// Code that looks for files beside `require.main` finds those of the plugin; none of its modules is the main module.
function nameMain(entryPoint: string): void {
  const main = new Module(entryPoint);
  main.filename = entryPoint;
  main.paths = nodeModulePaths(dirname(entryPoint));
  process.mainModule = main;
}

/**
 * In every shape that people and compilers give it: by name, as the default, as a method of the default or of an exported
 * `plugin`, of an instance of a default class, below `exports.default` of transpiled CommonJS, or from a function that
 * gives an object which has it.
 */
async function findExecute(plugin: Record<string, unknown>): Promise<Execute | null> {
  let holder: unknown = plugin;
  for (let level = 0; level < MAX_DEFAULTS; level++) {
    const found = ofHolder(holder) ?? (level === 0 ? null : ofFunction(holder));
    if (found !== null) return found;
    const named = ofHolder(await propertyOf(holder, 'plugin'));
    if (named !== null) return named;
    holder = await propertyOf(holder, 'default');
  }
  return ofHolder(holder) ?? ofFunction(holder);
}

/** A method is called on its object: it may have helpers beside it. */
function ofHolder(holder: unknown): Execute | null {
  const method = propertyOf(holder, 'execute');
  if (typeof method !== 'function') return null;
  return (context, host) => reflectApply(method, holder, [context, host]);
}

function ofFunction(value: unknown): Execute | null {
  if (typeof value !== 'function') return null;
  if (isClass(value)) return ofHolder(construct(value as never, []));
  return async (context, host) => {
    const result: unknown = await reflectApply(value as never, undefined, [context, host]);
    // Data has no function in it: what has an `execute` is the plugin, made by this function.
    const made = ofHolder(result);
    return made === null ? result : made(context, host);
  };
}

/** Compilers for older engines write a function whose prototype has the methods. */
function isClass(value: unknown): boolean {
  return (
    startsWith(sourceOf(value as never), 'class') ||
    typeof propertyOf(propertyOf(value, 'prototype'), 'execute') === 'function'
  );
}

function propertyOf(value: unknown, name: string): unknown {
  const mayHave = (typeof value === 'object' && value !== null) || typeof value === 'function';
  return mayHave ? reflectGet(value as object, name) : undefined;
}

function describeExports(plugin: Record<string, unknown>): string {
  let text = '';
  for (const name of keys(plugin))
    text += `${text === '' ? '' : ', '}\`${name}\` (${kindOf(reflectGet(plugin, name))})`;
  return text === '' ? 'nothing' : slice(text, 0, MAX_SHOWN_CHARS);
}

function kindOf(value: unknown): string {
  if (value === null) return 'null';
  if (typeof value !== 'object') return typeof value;
  let text = '';
  for (const name of keys(value)) text += `${text === '' ? '' : ', '}${name}`;
  return text === '' ? 'an object' : `an object with ${slice(text, 0, 80)}`;
}
