import { countCharacters, countSentences, splitParagraphs, words } from './count.mjs';
import { createReadability, tenths } from './readability.mjs';
import { createVocabulary } from './vocabulary.mjs';

/** Silent reading of adults: 238 words a minute (Brysbaert 2019), 260 Chinese words, which are about 400 characters. */
const WORDS_PER_MINUTE = 238;
const IDEOGRAPHS_PER_MINUTE = 400;

const IDEOGRAPH = /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}]/u;

/** Statistics of `inputData.text`, or else of `inputData.user_message`. */
export function execute({ inputData }, host) {
  const given = inputData.text ?? inputData.user_message;
  if (given === undefined) return { summary: 'No text to count.', words: 0 };
  const text = given.replace(/\r\n?/g, '\n');
  const paragraphs = splitParagraphs(text);
  host.progress(0.2, 'sentences');
  const sentences = countSentences(paragraphs);
  host.progress(0.4, 'words');
  const { total, vocabulary, readability } = readWords(text);
  const readingSeconds = Math.round(
    60 * ((total.words - total.ideographic) / WORDS_PER_MINUTE + total.ideographs / IDEOGRAPHS_PER_MINUTE),
  );
  return {
    summary: `${plural(total.words, 'word')} in ${plural(sentences, 'sentence')}, about ${describeTime(readingSeconds)} to read.`,
    characters: countCharacters(text),
    words: total.words,
    sentences,
    paragraphs: paragraphs.length,
    lines: text === '' ? 0 : text.split('\n').length - (text.endsWith('\n') ? 1 : 0),
    reading_seconds: readingSeconds,
    words_per_sentence: sentences === 0 ? 0 : tenths(total.words / sentences),
    ...vocabulary.summarize(),
    readability: readability.score(sentences),
  };
}

function readWords(text) {
  const vocabulary = createVocabulary();
  const readability = createReadability();
  const total = { words: 0, ideographic: 0, ideographs: 0 };
  for (const written of words(text)) {
    const word = written.toLowerCase();
    total.words++;
    if (IDEOGRAPH.test(word)) {
      total.ideographic++;
      total.ideographs += word.length;
    }
    vocabulary.add(word);
    readability.add(word);
  }
  return { total, vocabulary, readability };
}

function describeTime(seconds) {
  return seconds < 90 ? `${seconds} s` : `${Math.round(seconds / 60)} min`;
}

const plural = (count, noun) => `${count} ${noun}${count === 1 ? '' : 's'}`;
