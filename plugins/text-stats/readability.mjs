/** Words that are frequent in English and rare elsewhere. */
const ENGLISH = new Set(
  'the and of to is that it for with this are be have has from not you by at or we which will but they would there their what your'.split(
    ' ',
  ),
);
const MIN_WORDS = 30;
const MIN_ENGLISH_SHARE = 0.12;

export function createReadability() {
  let [words, english, syllables] = [0, 0, 0];
  return {
    add(word) {
      words++;
      if (ENGLISH.has(word)) english++;
      syllables += countSyllables(word);
    },
    isEnglish: () => words >= MIN_WORDS && english / words >= MIN_ENGLISH_SHARE,
    /** The formulas of Flesch (1948) and Kincaid (1975), or `null` where they mean nothing. */
    score(sentences) {
      if (!this.isEnglish() || sentences === 0) return null;
      const sentenceLength = words / sentences;
      const wordLength = syllables / words;
      return {
        flesch_reading_ease: tenths(206.835 - 1.015 * sentenceLength - 84.6 * wordLength),
        flesch_kincaid_grade: tenths(0.39 * sentenceLength + 11.8 * wordLength - 15.59),
      };
    },
  };
}

/** Groups of vowels, without the endings that English writes and does not speak. */
export function countSyllables(word) {
  const letters = word.toLowerCase().replace(/[^a-z]/g, '');
  if (letters.length <= 3) return 1;
  const spoken = letters.replace(/(?:[^laeiouy]es|[^laeiouytd]ed|[^laeiouy]e)$/, '').replace(/^y/, '');
  return Math.max(1, spoken.match(/[aeiouy]{1,2}/g)?.length ?? 0);
}

export const tenths = (number) => Math.round(number * 10) / 10;
