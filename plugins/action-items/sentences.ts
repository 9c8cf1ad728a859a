/** A sentence or a list item, and what its surroundings say about it. */
export interface Sentence {
  readonly text: string;
  /** Where it begins, counted from 1. */
  readonly line: number;
  /** A list item below a heading such as "Action items". */
  readonly inActionList: boolean;
  /** `null` without a check box. */
  readonly checked: boolean | null;
}

interface Block {
  readonly line: number;
  readonly lines: string[];
  readonly inActionList: boolean;
  readonly checked: boolean | null;
  readonly isItem: boolean;
}

/** Longer lines are cut: no sentence is that long, and every pattern stays cheap. */
const MAX_LINE_LENGTH = 2000;
/** A line shorter than this was ended on purpose; a longer one may have been wrapped. */
const WRAPPED_LENGTH = 40;
const MAX_WRAPPED_LINES = 20;

const QUOTE = /^(?:>\s?){1,10}/;
const HEADING = /^(?:#{1,6}\s|\*\*|__)|[:：](?:\*\*|__)?$/;
const ACTION_HEADING =
  /^(?:#{1,6}\s{0,3}|\*\*|__)?(?:action items?|actions|action points|next steps?|to-?dos?|to do|tasks|follow[- ]ups?|待办(?:事项)?|行动项|下一步)(?:\*\*|__)?\s?[:：]?(?:\*\*|__)?$/i;
const BULLET = /^\s*(?:[-*•+]|\d{1,3}[.)])\s+/;
/** `TODO: …` is an item too. */
export const ACTION_PREFIX =
  /^(?:\*\*)?(?:todo|to[- ]do|action(?: item| point)?|task|next step|follow[- ]up|待办|行动项)(?:\*\*)?\s?[:：](?:\*\*)?\s+(?=\S)/i;
const CHECK_BOX = /^\[(?<mark>[ xX✓])\]\s+/;
const SENTENCE_END =
  /(?<=[.!?]["')]?)(?<!\b(?:Mr|Mrs|Ms|Dr|Prof|St|vs|No)\.)\s+(?=["'(@]?[\p{Lu}\p{Lo}])|(?<=[。！？；])\s*/gu;

export function* splitSentences(text: string): Generator<Sentence> {
  for (const block of splitBlocks(text)) {
    const { inActionList, checked } = block;
    if (block.isItem) {
      yield { text: block.lines.join(' '), line: block.line, inActionList, checked };
      continue;
    }
    for (const { part, offset } of splitText(block.lines.join('\n'))) {
      const line = block.line + lineAt(block.lines, offset);
      yield { text: part.replaceAll('\n', ' '), line, inActionList, checked };
    }
  }
}

function* splitText(text: string): Generator<{ part: string; offset: number }> {
  let offset = 0;
  for (const end of [...text.matchAll(SENTENCE_END), null]) {
    const part = text.slice(offset, end?.index).trimEnd();
    if (part !== '') yield { part, offset };
    if (end !== null) offset = end.index + end[0].length;
  }
}

/** Paragraphs and list items, with wrapped lines joined. */
function* splitBlocks(text: string): Generator<Block> {
  let open: Block | null = null;
  let inActionList = false;
  for (const [at, raw] of text.split(/\r\n?|\n/).entries()) {
    const line = raw.slice(0, MAX_LINE_LENGTH).replace(QUOTE, '').trimEnd();
    const content = line.replace(BULLET, '');
    const isItem = content !== line || ACTION_PREFIX.test(line);
    if (open !== null && !isItem && continues(open, line)) {
      open.lines.push(line.trim());
      continue;
    }
    if (open !== null) yield open;
    open = null;
    if (line.trim() === '') continue;
    if (!isItem && HEADING.test(line.trim())) inActionList = false;
    if (!isItem && ACTION_HEADING.test(line.trim())) {
      inActionList = true;
      continue;
    }
    if (!isItem) inActionList = false;
    open = toBlock(at + 1, content, isItem, inActionList);
  }
  if (open !== null) yield open;
}

function toBlock(line: number, content: string, isItem: boolean, inActionList: boolean): Block {
  const mark = CHECK_BOX.exec(content)?.groups?.['mark'];
  const checked = mark === undefined ? null : mark !== ' ';
  return { line, lines: [content.replace(CHECK_BOX, '').trim()], inActionList, checked, isItem };
}

function continues(open: Block, line: string): boolean {
  const last = open.lines.at(-1) ?? '';
  if (line.trim() === '' || open.lines.length >= MAX_WRAPPED_LINES) return false;
  if (open.isItem) return /^\s/.test(line);
  return last.length >= WRAPPED_LENGTH && !/[:：]$/.test(last);
}

function lineAt(lines: readonly string[], offset: number): number {
  let end = 0;
  for (const [at, line] of lines.entries()) {
    end += line.length + 1;
    if (offset < end) return at;
  }
  return lines.length - 1;
}
