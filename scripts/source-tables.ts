// Tables of the reference that are made from the comments in the source: members of interfaces, entries of lists.

import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

const SRC = join(import.meta.dirname, '../src');

/** What stands in the source about one member of an interface, or one entry of a list. */
interface Commented {
  readonly name: string;
  /** As it is declared; empty for the entry of a list. */
  readonly type: string;
  readonly meaning: string;
  /** The text behind `@default`; empty where there is none. */
  readonly byDefault: string;
}

/** Every member that has a comment and is not deprecated. @throws where one has no comment: a table with a gap helps nobody */
export function membersOf(interfaceName: string): Commented[] {
  const body = findBlock(new RegExp(`^export interface ${interfaceName} (?:extends [^{]+)?\\{\n`, 'm'), '}');
  const members = commentedLines(body, /^ {2}readonly (\w+)\??: ([\s\S]+?);$/);
  return members.filter(({ meaning }) => !meaning.startsWith('@deprecated'));
}

/** The entries of a list of texts, `export const NAME = [ … ] as const`. */
export function entriesOf(listName: string): Commented[] {
  return commentedLines(
    findBlock(new RegExp(`^export const ${listName} = \\[\n`, 'm'), ']'),
    /^ {2}'(\w+)',$/,
  );
}

/** The lines between the one that `start` finds in some file of the source and the next that begins with `end`. */
function findBlock(start: RegExp, end: string): string {
  for (const path of globSync('**/*.ts', { cwd: SRC }).sort()) {
    const code = readFileSync(join(SRC, path), 'utf8');
    const found = start.exec(code);
    if (found === null) continue;
    const from = found.index + found[0].length;
    return code.slice(from, code.indexOf(`\n${end}`, from) + 1);
  }
  throw new Error(`No file of src/ has ${start}.`);
}

function commentedLines(block: string, line: RegExp): Commented[] {
  const commented = /(?: {2}\/\*\*([\s\S]*?)\*\/\n)?( {2}(?:readonly|')[^\n]*\n)/g;
  return [...block.matchAll(commented)].map(([, comment, declaration = '']) => {
    const [, name, type = ''] = line.exec(declaration.trimEnd()) ?? [];
    if (name === undefined) throw new Error(`This line is read by nobody: ${declaration}`);
    if (comment === undefined)
      throw new Error(`\`${name}\` has no comment to make its line of the reference of.`);
    const text = comment.replaceAll(/\s*\n\s*\*\s*/g, ' ').trim();
    const [meaning = '', byDefault = ''] = text.split(/\s*@default\s+/);
    return { name, type, meaning: meaning.trim(), byDefault: byDefault.trim() };
  });
}
