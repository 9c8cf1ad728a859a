/** Text → tokens → tree, by precedence climbing. Positions count from 1, in UTF-16 units. */

export const MAX_LENGTH = 1000;
export const MAX_DEPTH = 100;

/** A fault in an expression; the message ends with where it is. */
export class ExpressionError extends Error {
  name = 'ExpressionError';

  constructor(message, position) {
    super(`${message} at position ${position}`);
    this.position = position;
  }
}

const TOKEN = new RegExp(
  [
    '(?<blank>\\s+)',
    '(?<number>(?:\\d+(?:\\.\\d*)?|\\.\\d+)(?:[eE][+-]?\\d+)?)',
    '(?<name>[\\p{L}_][\\p{L}\\p{N}_]*)',
    '(?<symbol>\\*\\*|[-+*/%^(),−–×·÷])',
  ].join('|'),
  'uy',
);

/** Signs that people write and the one sign that is meant. */
const SYNONYMS = { '**': '^', '−': '-', '–': '-', '×': '*', '·': '*', '÷': '/', of: '*' };

/** How tightly an operator binds; `^` alone groups from the right. */
const BINARY = { '+': 1, '-': 1, '*': 2, '/': 2, '%': 2, '^': 4 };
const UNARY = 3;

export function parse(text) {
  if (text.length > MAX_LENGTH) {
    throw new ExpressionError(
      `expected at most ${MAX_LENGTH} characters, got ${text.length}; it is too long`,
      MAX_LENGTH + 1,
    );
  }
  const reader = { tokens: tokenize(text), next: 0, depth: 0 };
  const tree = parseExpression(reader, 0);
  const rest = peek(reader);
  if (rest.kind !== 'end') throw unexpected(rest, 'an operator or the end');
  return tree;
}

function tokenize(text) {
  const tokens = [];
  TOKEN.lastIndex = 0;
  for (let at = 0; at < text.length; at = TOKEN.lastIndex) {
    TOKEN.lastIndex = at;
    const groups = TOKEN.exec(text)?.groups;
    if (groups === undefined) {
      throw new ExpressionError(
        `unexpected character "${String.fromCodePoint(text.codePointAt(at))}"`,
        at + 1,
      );
    }
    if (groups.blank !== undefined) continue;
    const written = groups.number ?? groups.name ?? groups.symbol;
    const kind = groups.number !== undefined ? 'number' : groups.name !== undefined ? 'name' : 'symbol';
    const isWord = written === 'of';
    const symbol = Object.hasOwn(SYNONYMS, written) ? SYNONYMS[written] : written;
    tokens.push({ kind: isWord ? 'symbol' : kind, text: symbol, written, position: at + 1 });
  }
  tokens.push({ kind: 'end', text: '', written: '', position: text.length + 1 });
  return tokens;
}

function parseExpression(reader, minimum) {
  if (++reader.depth > MAX_DEPTH) {
    throw new ExpressionError(`nested deeper than ${MAX_DEPTH} levels`, peek(reader).position);
  }
  let left = parseOperand(reader);
  for (;;) {
    const operator = peek(reader);
    if (operator.kind !== 'symbol') break;
    if (operator.text === '%' && !startsOperand(reader.tokens[reader.next + 1])) {
      reader.next++;
      left = { type: 'percent', value: left, position: operator.position };
      continue;
    }
    const strength = Object.hasOwn(BINARY, operator.text) ? BINARY[operator.text] : 0;
    if (strength === 0 || strength < minimum) break;
    reader.next++;
    const right = parseExpression(reader, operator.text === '^' ? strength : strength + 1);
    left = { type: 'binary', operator: operator.text, left, right, position: operator.position };
  }
  reader.depth--;
  return left;
}

function parseOperand(reader) {
  const token = peek(reader);
  reader.next++;
  if (token.kind === 'number') return { type: 'number', text: token.text, position: token.position };
  if (token.kind === 'name') return parseName(reader, token);
  if (token.text === '(') {
    const inside = parseExpression(reader, 0);
    expectSymbol(reader, ')');
    return { type: 'group', value: inside, position: token.position };
  }
  if (token.text === '-' || token.text === '+') {
    const value = parseExpression(reader, UNARY);
    return { type: 'unary', operator: token.text, value, position: token.position };
  }
  throw unexpected(token, 'a number, a name or "("');
}

function parseName(reader, { text: name, position }) {
  if (peek(reader).text !== '(') return { type: 'name', name, position };
  reader.next++;
  const args = [];
  if (peek(reader).text !== ')') {
    args.push(parseExpression(reader, 0));
    while (peek(reader).text === ',') {
      reader.next++;
      args.push(parseExpression(reader, 0));
    }
  }
  expectSymbol(reader, ')');
  return { type: 'call', name, args, position };
}

function expectSymbol(reader, symbol) {
  const token = peek(reader);
  if (token.text !== symbol) throw unexpected(token, `"${symbol}"`);
  reader.next++;
}

const peek = (reader) => reader.tokens[reader.next];

// `7 % 3` is a remainder, `7%` and `7% + 1` are percentages.
const startsOperand = (token) => token.kind === 'number' || token.kind === 'name' || token.text === '(';

const unexpected = (token, expected) =>
  new ExpressionError(
    `expected ${expected}, got ${token.kind === 'end' ? 'the end' : `"${token.written}"`}`,
    token.position,
  );
