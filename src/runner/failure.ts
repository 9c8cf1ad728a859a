import { RUNNER_ERRORS } from '../protocol/messages.ts';
import { Border, LEFT_OUT } from './border.ts';
import { quote } from './channel.ts';
import { convertError, isError } from './errors.ts';
import { placeOf } from './place.ts';
import { indexOf, isArray, keys, reflectGet, slice, stringify, toStringOf } from './primordials.ts';

/** Long enough for any honest message; the host cuts again by its own limits. */
const MAX_NAME_CHARS = 200;
const MAX_MESSAGE_CHARS = 4_000;
const MAX_STACK_CHARS = 16_000;
const MAX_DETAILS_CHARS = 16_000;
const MAX_TEXT_CHARS = 1_000;
/** Characters of an error; more does not help to find its cause. */
const DETAILS = { depth: 8, values: 300, bytes: MAX_DETAILS_CHARS, describes: true } as const;
/** As V8 names it in stacks. */
const RUNNER_FILE = process.argv[1] ?? '';
/** `/plugin/index.mjs:2` and the end of the line; of a file that nothing more is known of, its path. */
const findPlace = RegExp.prototype.exec.bind(/^(?:file:\/\/)?(\/[^\n]{1,1000}?(?::\d+)?)\n/);
const MAX_CAUSES = 5;
const MAX_ERRORS = 10;

/**
 * A thrown value, whatever it is, as the `error` object of a response; with the path of what threw it, where that is a part of the
 * result. Never throws: a value may lie in every getter.
 */
export function describeFailure(
  code: keyof typeof RUNNER_ERRORS,
  thrown: unknown,
  path: string | null = null,
): string {
  const name = readText(thrown, 'name', MAX_NAME_CHARS) ?? '';
  const stack = toOwnLines(readText(thrown, 'stack', MAX_STACK_CHARS) ?? '');
  const details = toDetails(thrown);
  const message = toMessage(thrown, details, path);
  const data = `{"name":${quote(name)},"stack":${quote(stack)},"details":${toJson(details)}}`;
  return `{"code":${RUNNER_ERRORS[code]},"message":${quote(message)},"data":${data}}`;
}

/** Message and causes in one text. */
export function describeThrown(thrown: unknown): string {
  const name = readText(thrown, 'name', MAX_NAME_CHARS);
  const message = toMessage(thrown, toDetails(thrown));
  return name === null ? message : `${name}: ${message}`;
}

/** The message with those of its causes. */
function toMessage(thrown: unknown, details: unknown, path: string | null = null): string {
  const message = readText(thrown, 'message', MAX_MESSAGE_CHARS) ?? toText(thrown);
  const place = path === null ? tellPlace(thrown) : ` (at \`${path}\`)`;
  const text = `${message}${place}${tellCauses(details)}`;
  return text.length < MAX_MESSAGE_CHARS ? text : `${slice(text, 0, MAX_MESSAGE_CHARS - 1)}…`;
}

/** The place of a syntax error. Node writes it above the stack, and no line of the stack has it. */
function tellPlace(thrown: unknown): string {
  if (readText(thrown, 'name', MAX_NAME_CHARS) !== 'SyntaxError') return '';
  const place = findPlace(readText(thrown, 'stack', MAX_STACK_CHARS) ?? '')?.[1];
  return place === undefined ? '' : ` (${place})`;
}

/** The stack without the lines of the runner, which are no part of the plugin. */
function toOwnLines(stack: string): string {
  const at = RUNNER_FILE === '' ? -1 : indexOf(stack, `${RUNNER_FILE}:`);
  if (at === -1) return stack;
  let end = at;
  while (end > 0 && stack[end] !== '\n') end--;
  return slice(stack, 0, end);
}

/** What else an error has: its cause, the errors in it, its code and other fields; of what is no error, all of it. */
function toDetails(thrown: unknown): unknown {
  try {
    if (typeof thrown !== 'object' || thrown === null) return null;
    const border = new Border(DETAILS);
    const box: { value: unknown } = { value: null };
    const place = placeOf('error');
    if (!isError(thrown)) {
      border.convert(thrown, place, { target: box, key: 'value' });
      return box.value;
    }
    const fields = convertError(border, thrown, place);
    delete fields['name'];
    delete fields['message'];
    return keys(fields).length === 0 ? null : fields;
  } catch {
    return null;
  }
}

function toJson(details: unknown): string {
  try {
    const json = stringify(details) ?? 'null';
    return json.length <= MAX_DETAILS_CHARS ? json : quote(`${slice(json, 0, MAX_DETAILS_CHARS)}…`);
  } catch {
    return 'null';
  }
}

/** ` (caused by Error: connect ECONNREFUSED 127.0.0.1:9)`, as far down as it goes. */
function tellCauses(details: unknown): string {
  let text = '';
  let at = details;
  for (let depth = 0; depth < MAX_CAUSES && isFields(at); depth++) {
    text += tellErrors(reflectGet(at, 'errors')) + tellErrors(suppressionIn(at));
    const cause: unknown = reflectGet(at, 'cause');
    if (cause === undefined || cause === null) break;
    text += ` (caused by ${oneLine(cause)})`;
    at = cause;
  }
  return text;
}

/** Both errors of a `SuppressedError`: the one of the disposal, and the one that was under way. */
function suppressionIn(fields: Record<string, unknown>): unknown {
  const suppressed = reflectGet(fields, 'suppressed');
  return suppressed === undefined ? null : [reflectGet(fields, 'error'), suppressed];
}

function tellErrors(errors: unknown): string {
  if (!isArray(errors) || errors.length === 0) return '';
  let text = '';
  for (let index = 0; index < errors.length && index < MAX_ERRORS; index++)
    text += `${index === 0 ? '' : '; '}${oneLine(errors[index])}`;
  const isCut = errors[errors.length - 1] === LEFT_OUT;
  const count = isCut ? `more than ${errors.length - 1}` : errors.length;
  return ` (${count} errors: ${text}${errors.length > MAX_ERRORS ? '; …' : ''})`;
}

function oneLine(error: unknown): string {
  if (!isFields(error)) return slice(toStringOf(error), 0, MAX_TEXT_CHARS);
  const { name, message, code } = error;
  if (typeof message !== 'string') return slice(stringify(error) ?? '', 0, MAX_TEXT_CHARS);
  const shownCode = typeof code === 'string' && indexOf(message, code) === -1 ? ` [${code}]` : '';
  return slice(`${typeof name === 'string' ? `${name}: ` : ''}${message}${shownCode}`, 0, MAX_TEXT_CHARS);
}

function isFields(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !isArray(value);
}

function readText(thrown: unknown, property: string, maxChars: number): string | null {
  try {
    if (typeof thrown !== 'object' || thrown === null) return null;
    const value: unknown = reflectGet(thrown, property);
    return typeof value === 'string' ? slice(value, 0, maxChars) : null;
  } catch {
    return null;
  }
}

function toText(thrown: unknown): string {
  try {
    const text = toStringOf(thrown);
    const shown = indexOf(text, '[object Object]') !== -1 ? (stringify(toDetails(thrown)) ?? text) : text;
    return slice(`a thrown ${typeof thrown}: ${shown}`, 0, MAX_TEXT_CHARS);
  } catch {
    return 'a thrown value that cannot be read';
  }
}
