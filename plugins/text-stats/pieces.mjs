/**
 * `Intl.Segmenter` takes time in the square of the length of what it is given, so text goes to it in pieces. A piece ends
 * where no word or sentence is cut; only a single word or sentence longer than a piece is cut and counted more than once.
 */
const PIECE_LENGTH = 1024;

const BLANK = /\s/;
const BETWEEN_WORDS = /[\s!?;…—、。，！？；：]/;
const ENDS_SENTENCE = /[.!?…]["'”’)\]]?\s$|[。！？\n]$/;

export const wordPieces = (text) => pieces(text, [(at) => BETWEEN_WORDS.test(text[at - 1])]);

export const sentencePieces = (text) =>
  pieces(text, [
    (at) => ENDS_SENTENCE.test(text.slice(Math.max(0, at - 3), at)),
    (at) => BLANK.test(text[at - 1]),
  ]);

/** `cuts` says where a piece may end, the best kind of place first. */
function* pieces(text, cuts) {
  for (let start = 0; start < text.length; ) {
    const end = endOfPiece(text, start, cuts);
    yield text.slice(start, end);
    start = end;
  }
}

function endOfPiece(text, start, cuts) {
  const limit = start + PIECE_LENGTH;
  if (limit >= text.length) return text.length;
  for (const canCut of cuts) {
    for (let at = limit; at > start; at--) if (canCut(at)) return at;
  }
  // The middle of a surrogate pair is no place to cut.
  return /[\ud800-\udbff]/.test(text[limit - 1]) ? limit - 1 : limit;
}
