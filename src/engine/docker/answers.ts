import type { IncomingMessage } from 'node:http';
import type Docker from 'dockerode';
import { escapeControls } from '../../printable.ts';

/** `code` of an error for an answer that no Docker engine gives. */
export const NOT_AN_ENGINE = 'NOT_AN_ENGINE';

/** A list of 10,000 containers has some 15 MB; whatever sends more is kept out of memory. */
const MAX_ANSWER_BYTES = 32 * 1024 * 1024;
/** What an engine says when it refuses is a sentence. */
const MAX_REFUSAL_BYTES = 64 * 1024;
const MAX_QUOTED_CHARS = 100;
const FIRST_BUFFER_BYTES = 16 * 1024;

interface DialOptions {
  readonly isStream?: boolean;
  readonly abortSignal?: AbortSignal;
  /** What the caller gave to dockerode. */
  readonly options?: { readonly abortSignal?: AbortSignal };
}

type StatusCodes = Readonly<Record<number, boolean | string | undefined>>;
type Callback = (error: unknown, answer?: unknown) => void;

interface Modem {
  dial(options: DialOptions, callback: Callback): void;
  buildPayload(
    error: unknown,
    isStream: boolean | undefined,
    statusCodes: StatusCodes,
    openStdin: boolean,
    request: unknown,
    response: IncomingMessage,
    json: unknown,
    callback: Callback,
  ): void;
}

/**
 * Has every answer read to its end, within bounds, and refuses what is no JSON. docker-modem by itself keeps whatever
 * comes, waits for ever for the rest of an answer that was cut off, and hands on whatever came in place of JSON; and
 * dockerode forgets some calls' signals.
 */
export function readStrictly(docker: Docker): Docker {
  const modem = docker.modem as unknown as Modem;
  const dial = modem.dial.bind(modem);
  modem.dial = (options, callback) => {
    if (options.isStream) return dial(options, callback);
    const abortSignal = options.abortSignal ?? options.options?.abortSignal;
    dial({ ...options, isStream: true, ...(abortSignal && { abortSignal }) }, (error, answer) => {
      if (error) callback(error);
      else readJson(answer as IncomingMessage).then((json) => callback(null, json), callback);
    });
  };
  const buildPayload = modem.buildPayload.bind(modem);
  modem.buildPayload = (error, isStream, statusCodes, openStdin, request, response, json, callback) => {
    const isRefusal = !error && statusCodes[response.statusCode ?? 0] !== true;
    if (!isRefusal)
      return buildPayload(error, isStream, statusCodes, openStdin, request, response, json, callback);
    readRefusal(response, statusCodes).then(callback, callback);
  };
  return docker;
}

async function readJson(answer: IncomingMessage): Promise<unknown> {
  const text = await readText(answer, MAX_ANSWER_BYTES);
  return answer.statusCode === 204 ? null : parseJson(text);
}

/** The error that docker-modem makes of it. */
async function readRefusal(answer: IncomingMessage, statusCodes: StatusCodes): Promise<Error> {
  const { statusCode = 0 } = answer;
  const text = await readText(answer, MAX_REFUSAL_BYTES);
  const reason = statusCodes[statusCode];
  const said = messageIn(text) ?? text;
  const error = new Error(`(HTTP code ${statusCode}) ${reason || 'unexpected'} - ${said} `);
  return Object.assign(error, { reason, statusCode });
}

function messageIn(text: string): string | null {
  try {
    const { message, error } = JSON.parse(text) as { message?: unknown; error?: unknown };
    const said = message ?? error;
    return typeof said === 'string' ? said : null;
  } catch {
    return null;
  }
}

/** The whole of a stream as a text; one that is longer is ended, and is none of an engine. */
export async function readText(stream: AsyncIterable<unknown>, mostBytes: number): Promise<string> {
  // One buffer that grows, and no list of chunks: an answer may come in pieces of one byte, each with an object around it.
  let buffer = Buffer.allocUnsafe(FIRST_BUFFER_BYTES);
  let bytes = 0;
  for await (const chunk of stream as AsyncIterable<Buffer>) {
    const needed = bytes + chunk.length;
    // Leaving the loop closes the connection.
    if (needed > mostBytes) throw notAnEngine(`more than ${mostBytes} bytes`);
    if (needed > buffer.length) {
      const larger = Buffer.allocUnsafe(Math.max(needed, Math.min(buffer.length * 2, mostBytes)));
      buffer.copy(larger, 0, 0, bytes);
      buffer = larger;
    }
    chunk.copy(buffer, bytes);
    bytes = needed;
  }
  return buffer.toString('utf8', 0, bytes);
}

export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw notAnEngine(`something that is no JSON, \`${escapeControls(text.slice(0, MAX_QUOTED_CHARS))}\``);
  }
}

export function notAnEngine(said: string): Error {
  return Object.assign(new Error(said), { code: NOT_AN_ENGINE });
}
