import * as fs from 'node:fs';
import * as module from 'node:module';
import * as vm from 'node:vm';

/** Marks what is loaded once more: what failed is not tried again under its own name. */
const AGAIN = '?syntax';

/**
 * Node does not say where an ES module is none: it is loaded once more, to learn which of its files is the last that was read. Nothing of
 * the plugin runs: a graph of modules is linked before its first line is. The place goes to where CommonJS has it, the head of the stack.
 */
export async function locateSyntaxError(error: unknown, url: string): Promise<void> {
  if (
    !(error instanceof SyntaxError) ||
    !/^SyntaxError: [^\n]*\n\s+at compileSourceTextModule/.test(`${error.stack}`)
  )
    return;
  const found = await findLast(url);
  if (found === null) return;
  const place = placeIn(found, error.message) ?? found.path;
  error.stack = `${place}\n\n${error.stack}`;
}

interface Source {
  readonly path: string;
  readonly text: string;
}

async function findLast(url: string): Promise<Source | null> {
  let last: Source | null = null;
  const hooks = module.registerHooks({
    resolve: (specifier, context, nextResolve) => {
      const resolved = nextResolve(specifier, context);
      return resolved.url.startsWith('file:') ? { ...resolved, url: `${resolved.url}${AGAIN}` } : resolved;
    },
    load: (again, context, nextLoad) => {
      const loaded = nextLoad(again.replace(AGAIN, ''), context);
      const path = decodeURI(again.replace(AGAIN, '').replace('file://', ''));
      if (loaded.format !== 'builtin')
        last = { path, text: `${loaded.source ?? fs.readFileSync(path, 'utf8')}` };
      return loaded;
    },
  });
  try {
    await import(url);
    return null;
  } catch {
    return last;
  } finally {
    hooks.deregister();
  }
}

/** Read as the body of a function, in which there are no imports and exports: what V8 finds there is the same fault, or is not told. */
function placeIn({ path, text }: Source, message: string): string | null {
  const body = text
    .replace(/^\s*import\s[^'"();]*(?:from\s*)?['"][^'"\n]*['"].*$/gm, (all) => all.replace(/[^\n]/g, ' '))
    .replace(/^(\s*)export\s+default\b/gm, '$1void         ')
    .replace(/^(\s*)export\b(?!\s*[{*])/gm, '$1      ');
  try {
    new vm.Script(`(async () => {\n${body}\n})`, { filename: path, lineOffset: -1 });
  } catch (error) {
    const { stack = '', message: found } = error as SyntaxError;
    const [head = '', line = '', caret = ''] = stack.split('\n');
    if (found === message && head.startsWith(`${path}:`)) return `${head}\n${line}\n${caret}`;
  }
  return null;
}
