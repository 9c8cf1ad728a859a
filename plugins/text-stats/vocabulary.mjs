/** Different words that are told apart; a hostile text cannot make the table grow further. */
const MAX_DISTINCT = 50_000;
const MAX_WORD_LENGTH = 64;
const LONGEST = 5;
const MOST_FREQUENT = 10;

const LETTERS = /^[\p{L}\p{M}'’-]+…?$/u;

/** Too frequent to say anything about a text. */
const FUNCTION_WORDS = new Set(
  (
    "a an and are as at be but by can for from had has have he her his i i'm if in is it it's its me my no not of on or our she so " +
    'that the their them they this to us was we were what which who will with would you your ' +
    '的 了 是 在 和 与 我 你 他 她 它 我们 你们 他们 也 就 都 而 及 有 不 这 那 一 个 吗 呢 吧 把 被 对 从 到 请'
  ).split(' '),
);

export function createVocabulary() {
  const counts = new Map();
  let isFull = false;
  return {
    /** `word` in lower case. */
    add(word) {
      const key = shorten(word);
      const count = counts.get(key);
      if (count !== undefined) counts.set(key, count + 1);
      else if (counts.size < MAX_DISTINCT) counts.set(key, 1);
      else isFull = true;
    },
    summarize() {
      // Addresses and codes are counted as words, and are nothing to show.
      const plain = [...counts].filter(([word]) => LETTERS.test(word));
      const telling = plain.filter(([word]) => !FUNCTION_WORDS.has(word));
      return {
        distinct_words: counts.size,
        distinct_words_capped: isFull,
        longest_words: top(plain, ([word]) => [...word].length, LONGEST).map(([word]) => word),
        frequent_words: top(telling, ([, count]) => count, MOST_FREQUENT).map(([word, count]) => ({
          word,
          count,
        })),
      };
    },
  };
}

/** The `limit` greatest; of equal ones the first that came. */
const top = (items, measure, limit) => items.toSorted((a, b) => measure(b) - measure(a)).slice(0, limit);

const shorten = (word) => (word.length <= MAX_WORD_LENGTH ? word : `${word.slice(0, MAX_WORD_LENGTH - 1)}…`);
