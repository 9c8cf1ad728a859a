/** The program inside the container: says `ready`, serves one request at a time, and leaves when the host hangs up. */
import {
  type ExecuteParams,
  type LoadParams,
  type LogLevel,
  MOUNTS_FOLDER,
  PROTOCOL_VERSION,
  type RUNNER_ERRORS,
  STRIPPED_FILE,
} from '../protocol/messages.ts';
import { listen, quote, send, sendNotification } from './channel.ts';
import { captureConsole, sendLog } from './console.ts';
import { describeFailure } from './failure.ts';
import { tellMounts } from './mounts.ts';
import { type Execute, loadExecute } from './plugin.ts';
import { abortOf, freeze, isFiniteNumber, stringify, toStringOf } from './primordials.ts';
import { loadStripped } from './stripped.ts';
import { nameUser } from './user-info.ts';

const LOG_LEVELS: Readonly<Record<string, LogLevel | null>> = freeze({
  __proto__: null,
  debug: 'debug',
  info: 'info',
  warn: 'warn',
  error: 'error',
});

/** The request that waits for its response; at most one does. */
let pending: number | null = null;
let cancel: (reason: Error) => void = () => {};
let run: Execute | undefined;
const exit = process.exit.bind(process, 1);

captureConsole();
nameUser();
loadStripped(STRIPPED_FILE);
const stdin = listen(({ method, id, params }) => {
  if (method === 'load') void serve(id, () => load(params as LoadParams));
  if (method === 'execute') void serve(id, () => execute(id, params as ExecuteParams));
  if (method === 'cancel') cancel(new Error('the execution was cancelled'));
});
process.on('uncaughtException', (error) => {
  // With nothing to answer it would be told to nobody, and what it broke would serve the next call.
  if (pending === null) exit();
  else fail(pending, 'uncaught', error);
});
process.on('beforeExit', () => {
  if (pending !== null)
    fail(pending, 'noResult', new Error('nothing is left to wait for, and no result came'));
});
const mounts = tellMounts(MOUNTS_FOLDER);
sendNotification(
  'ready',
  `{"protocol":${PROTOCOL_VERSION},"node":${quote(process.version)}${mounts === null ? '' : `,"mounts":${mounts}`}}`,
);

async function serve(id: number, answer: () => Promise<unknown>): Promise<void> {
  pending = id;
  // Only the plugin keeps the process busy now: when it has nothing left to wait for, it can never answer.
  stdin.unref();
  try {
    succeed(id, await answer());
  } catch (error) {
    fail(id, run === undefined ? 'notLoadable' : 'pluginFailed', error);
  }
}

async function load({ entryPoint }: LoadParams): Promise<null> {
  run = await loadExecute(entryPoint);
  return null;
}

async function execute(id: number, { entryPoint, context }: ExecuteParams): Promise<unknown> {
  if (run === undefined) await load({ entryPoint });
  const cancellation = new AbortController();
  cancel = (reason) => abortOf(cancellation, reason);
  // What a plugin gets beside its context; it is deaf and dumb once its own execution is over.
  const host = freeze({
    log: (level: string, message: unknown): void => {
      if (pending === id) sendLog(LOG_LEVELS[level] ?? 'info', toStringOf(message));
    },
    progress: (fraction: number, message = ''): void => {
      if (!isFiniteNumber(fraction) || fraction < 0 || fraction > 1) {
        throw new RangeError(`expected a fraction from 0 to 1, got ${toStringOf(fraction)}`);
      }
      const told = `{"fraction":${fraction},"message":${quote(toStringOf(message))}}`;
      if (pending === id) sendNotification('progress', told);
    },
    signal: cancellation.signal,
  });
  return (run as Execute)(context, host);
}

function succeed(id: number, result: unknown): void {
  let json: string;
  try {
    // A function or `undefined` is no JSON; a plugin that returns nothing answers null.
    json = stringify(result) ?? 'null';
  } catch (error) {
    fail(id, 'notSerializable', error);
    return;
  }
  respond(id, `"result":${json}`);
}

function fail(id: number, code: keyof typeof RUNNER_ERRORS, error: unknown): void {
  respond(id, `"error":${describeFailure(code, error)}`);
}

function respond(id: number, member: string): void {
  if (pending !== id) return;
  pending = null;
  // The host reads the response and ends the container or asks again; this process must not end by itself.
  stdin.ref();
  send(`{"jsonrpc":"2.0","id":${id},${member}}`);
}
