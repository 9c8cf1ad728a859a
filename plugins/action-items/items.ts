import { ACTION_PREFIX, type Sentence } from './sentences.ts';
import type { ActionItem, DateMention, Due } from './types.ts';

const MAX_TEXT_LENGTH = 300;

/** `please` in these is politeness and asks for nothing. */
const POLITENESS =
  /\bplease (?:find|see|note|be (?:advised|aware)|feel free|do(?:n't| not) hesitate|accept|excuse|forgive)\b|\bplease let (?:me|us) know if\b/i;
const REQUEST =
  /\b(?:please|kindly|pls)\b|\b(?:can|could|would|will) you\b(?! (?:believe|imagine))|\b(?:do(?:n't| not) forget|remember) to\b|\bmake sure\b|\b(?:we|you|I) (?:need|have|ought|still have) to\b|\blet's\b|\bI(?:'ll|’ll| will| am going to)\b|\bwe(?:'ll|’ll| will| should| must)\b|\bneeds? to be\b|\bmust be\b/i;
const CHINESE_REQUEST =
  /由\p{Script=Han}{2,4}?(?:负责|跟进|完成)|请(?!问|假|客|柬)|麻烦(?:你|您)|记得|务必|别忘了|(?:我们?|你们?|您)(?:需要|必须|要|来)/u;

/** "Ada will send", "Ada Lovelace needs to check", "Ben to review". */
const COMMITMENT =
  /^(?<name>\p{Lu}[\p{L}'’-]{0,30}(?: \p{Lu}[\p{L}'’-]{0,30}){0,2}) (?:will|should|must|shall|has to|needs to|is going to|agreed to|promised to|to) (?!be\b|have\b|not\b)\p{Ll}/u;
const NO_NAME =
  /^(?:I|We|You|He|She|It|They|This|That|These|Those|There|Here|What|Which|Who|When|Where|Why|How|Everything|Nothing|Something|The|A|An|Our|Your|My|His|Her|Its|Their|All|Each|Some|If|As|Thanks|Due|According|Back|Welcome|Happy|Glad|Sorry|Next|Want|Able|Ready|How|Nice|Great|Good|Yes|No|Let|Try|Time|Also|\p{Lu}\p{Ll}*ing)\b/u;

const HANDLE = /(?<![\p{L}\p{N}._%+-])@(?<owner>[\p{L}\p{N}][\p{L}\p{N}_.-]{0,38}[\p{L}\p{N}]|[\p{L}\p{N}])/u;
const LABELLED_OWNER =
  /\b(?:owner|assignee|assigned to|responsible)\s?[:=]?\s?(?<owner>\p{Lu}[\p{L}'’-]{0,30}(?: \p{Lu}[\p{L}'’-]{0,30})?)|由(?<chinese>\p{Script=Han}{2,4}?)(?:负责|跟进|完成)/u;
const LEADING_OWNER = /^(?<owner>\p{Lu}[\p{L}'’-]{0,30}(?: \p{Lu}[\p{L}'’-]{0,30})?)\s?(?::|：| [-–—]) /u;
const TRAILING_OWNER = /\((?<owner>\p{Lu}[\p{L}'’-]{0,30}(?: \p{Lu}[\p{L}'’-]{0,30})?)\)[.!]?$/u;

const HIGH_PRIORITY =
  /\b(?:urgent(?:ly)?|asap|as soon as possible|immediately|critical|(?:high|top) priority)\b|!!|紧急|尽快|立即|马上/i;
const DONE = /^(?:~~|done[:：]|✅|✔)/i;

/** The action item in a sentence, or `null` when it asks nobody to do anything. */
export function toActionItem(sentence: Sentence, dates: readonly DateMention[]): ActionItem | null {
  const text = sentence.text.replace(ACTION_PREFIX, '').trim();
  const hasPrefix = text !== sentence.text;
  const isListed = sentence.inActionList || sentence.checked !== null || hasPrefix;
  if (text === '' || !(isListed || asksForAction(text))) return null;
  return {
    text: shorten(text),
    line: sentence.line,
    owner: ownerOf(text, isListed),
    due: dueOf(dates),
    priority: HIGH_PRIORITY.test(text) ? 'high' : 'normal',
    done: sentence.checked ?? DONE.test(text),
  };
}

function asksForAction(text: string): boolean {
  if (committedName(text) !== null || CHINESE_REQUEST.test(text)) return true;
  return REQUEST.test(text) && !POLITENESS.test(text);
}

function ownerOf(text: string, isListed: boolean): string | null {
  const handle = HANDLE.exec(text)?.groups?.['owner'];
  const labelled = LABELLED_OWNER.exec(text)?.groups;
  const listed = isListed ? (LEADING_OWNER.exec(text) ?? TRAILING_OWNER.exec(text)) : null;
  return (
    handle ??
    labelled?.['owner'] ??
    labelled?.['chinese'] ??
    committedName(text) ??
    listed?.groups?.['owner'] ??
    null
  );
}

function committedName(text: string): string | null {
  const name = COMMITMENT.exec(text)?.groups?.['name'];
  return name === undefined || NO_NAME.test(name) ? null : name;
}

// The date that is called a deadline, or else the first one.
function dueOf(dates: readonly DateMention[]): Due | null {
  const due = dates.find((date) => date.is_deadline) ?? dates[0];
  return due === undefined ? null : { text: due.text, date: due.date, time: due.time };
}

const shorten = (text: string): string =>
  text.length <= MAX_TEXT_LENGTH ? text : `${text.slice(0, MAX_TEXT_LENGTH - 1)}…`;
