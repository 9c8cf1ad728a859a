import { sentencePieces, wordPieces } from './pieces.mjs';

const WORDS = new Intl.Segmenter('und', { granularity: 'word' });
const SENTENCES = new Intl.Segmenter('en', { granularity: 'sentence' });
const CHARACTERS = new Intl.Segmenter('und', { granularity: 'grapheme' });

/** Blocks of scripts in which every code unit is one character of its own; they need no segmenter. */
const ONE_UNIT_EACH =
  /^[\0-\u02ff\u0370-\u0482\u048a-\u052f\u2010-\u2027\u3000-\u3029\u3041-\u3096\u309b-\u30ff\u4e00-\u9fff\uac00-\ud7a3\uff00-\uff9d]*$/;

/** Characters as people see them: an emoji family and a letter with its accents are one each. */
export function countCharacters(text) {
  let count = 0;
  for (const piece of wordPieces(text)) {
    count += ONE_UNIT_EACH.test(piece) ? piece.length : [...CHARACTERS.segment(piece)].length;
  }
  return count;
}

/** Words and numbers in order, as they stand. */
export function* words(text) {
  for (const piece of wordPieces(text)) {
    for (const { segment, isWordLike } of WORDS.segment(piece)) if (isWordLike) yield segment;
  }
}

/** Blocks between blank lines. */
export const splitParagraphs = (text) => text.split(/\n[^\S\n]*(?:\n[^\S\n]*)+/).filter(hasContent);

/** A title or an initial at the end is no end of a sentence: "Dr. Jones", "J. Smith". */
const ABBREVIATION = /(?:^|[\s(])(?:mr|mrs|ms|dr|prof|st|sr|jr|vs|no|fig|approx|\p{Lu})\.[^\S\n]*$/iu;
/** A list item begins a sentence; any other line break inside a paragraph is only a blank. */
const SOFT_BREAK = /\n(?!\s*(?:[-*•·]|\d{1,3}[.)])\s)/g;

export function countSentences(paragraphs) {
  // One text with hard breaks alone: a segmenter for each paragraph would be far more expensive.
  const text = paragraphs.map((paragraph) => paragraph.replace(SOFT_BREAK, ' ')).join('\n');
  let count = 0;
  let isOpen = false;
  for (const piece of sentencePieces(text)) {
    for (const { segment } of SENTENCES.segment(piece)) {
      if (!hasContent(segment)) continue;
      isOpen = ABBREVIATION.test(segment.slice(-12));
      if (!isOpen) count++;
    }
  }
  return count + (isOpen ? 1 : 0);
}

const hasContent = (text) => /[\p{L}\p{N}\p{Extended_Pictographic}]/u.test(text);
