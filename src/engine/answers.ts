import type { IncomingMessage } from 'node:http';
import type Docker from 'dockerode';

/** `code` of an error for an answer that no Docker engine gives. */
export const NOT_AN_ENGINE = 'NOT_AN_ENGINE';

const MAX_QUOTED_CHARS = 100;

interface DialOptions {
  readonly isStream?: boolean;
  readonly abortSignal?: AbortSignal;
  /** What the caller gave to dockerode. */
  readonly options?: { readonly abortSignal?: AbortSignal };
}

interface Modem {
  dial(options: DialOptions, callback: (error: unknown, answer?: unknown) => void): void;
}

/**
 * Has every answer read to its end, and refuses what is no JSON. docker-modem by itself waits for ever for the rest of
 * an answer that was cut off, and hands on whatever came in place of JSON; and dockerode forgets some calls' signals.
 */
export function readStrictly(docker: Docker): Docker {
  const modem = docker.modem as Modem;
  const dial = modem.dial.bind(modem);
  modem.dial = (options, callback) => {
    if (options.isStream) return dial(options, callback);
    const abortSignal = options.abortSignal ?? options.options?.abortSignal;
    dial({ ...options, isStream: true, ...(abortSignal && { abortSignal }) }, (error, answer) => {
      if (error) callback(error);
      else readJson(answer as IncomingMessage).then((json) => callback(null, json), callback);
    });
  };
  return docker;
}

async function readJson(answer: IncomingMessage): Promise<unknown> {
  const text = Buffer.concat(await answer.toArray()).toString();
  return answer.statusCode === 204 ? null : parseJson(text);
}

export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw notAnEngine(`something that is no JSON, \`${text.slice(0, MAX_QUOTED_CHARS)}\``);
  }
}

export function notAnEngine(said: string): Error {
  return Object.assign(new Error(said), { code: NOT_AN_ENGINE });
}
