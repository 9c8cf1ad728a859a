import * as fs from 'node:fs';
import * as module from 'node:module';
import * as vm from 'node:vm';
import { mapGet, parse } from './primordials.ts';

const { compileFunction } = vm;
const CJS_PARAMETERS = ['exports', 'require', 'module', '__filename', '__dirname'];

/**
 * Has TypeScript files loaded without their types, from the file that the image was built with. Node would strip them by
 * a WebAssembly module, which takes longer to start than all else together. Whatever the file does not hold is Node's.
 */
export function loadStripped(file: string): void {
  // No hook where there is nothing to do: plugins in JavaScript are not slowed down.
  if (!fs.existsSync(file)) return;
  const sources = new Map(Object.entries<string>(parse(fs.readFileSync(file, 'utf8'))));
  module.registerHooks({
    resolve: (specifier, context, nextResolve) => {
      try {
        return nextResolve(specifier, context);
      } catch (error) {
        const written = toTypeScript(specifier);
        if (written === null || !isNotFound(error)) throw error;
        return tryResolve(() => nextResolve(written, context), error);
      }
    },
    load: (url, context, nextLoad) => {
      const source = mapGet(sources, url) as string | undefined;
      if (source === undefined) return nextLoad(url, context);
      const format = toFormat(context.format, source);
      return { ...nextLoad(url, { ...context, format }), source };
    },
  });
}

/** A compiler leaves `./x.js` as it is where only `x.ts` is there, because it will be; here it will not. */
function toTypeScript(specifier: string): string | null {
  const [, path, kind] = /^(\.{1,2}\/.*\.)([cm]?)js$/.exec(specifier) ?? [];
  return path === undefined ? null : `${path}${kind}ts`;
}

function isNotFound(error: unknown): boolean {
  const { code } = error as NodeJS.ErrnoException;
  return code === 'ERR_MODULE_NOT_FOUND' || code === 'MODULE_NOT_FOUND';
}

/** What was written is not there either: then the words of the first error are the right ones. */
function tryResolve<T>(work: () => T, first: unknown): T {
  try {
    return work();
  } catch {
    throw first;
  }
}

// By the extension and the nearest `package.json`, as Node has found out; without either it goes by the syntax.
function toFormat(format: string | null | undefined, source: string): 'module' | 'commonjs' {
  if (format === 'module-typescript') return 'module';
  if (format === 'commonjs-typescript') return 'commonjs';
  try {
    compileFunction(source, CJS_PARAMETERS);
    return 'commonjs';
  } catch {
    return 'module';
  }
}
