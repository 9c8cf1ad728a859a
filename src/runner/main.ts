/** The program inside the container: says `ready`, serves one request at a time, and leaves when the host hangs up. */

import { toNotification } from '../protocol/channel.ts';
import {
  type ExecuteParams,
  GRACE_MS,
  LOAD_ID,
  type LoadParams,
  MAX_RESULT_DEPTH,
  MAX_RESULT_VALUES,
  MOUNTS_FOLDER,
  PLUGIN_FOLDER,
  PROTOCOL_VERSION,
  type RUNNER_ERRORS,
  STRIPPED_FILE,
} from '../protocol/messages.ts';
import { listen, quote, send, sendNotification } from './channel.ts';
import { setClock } from './clock.ts';
import { captureConsole } from './console.ts';
import { tellCores } from './cores.ts';
import { isError } from './errors.ts';
import { describeFailure, describeThrown } from './failure.ts';
import { createHost } from './host.ts';
import { BorderError, type BorderWarning } from './limits.ts';
import { nameLoopback } from './localhost.ts';
import { tellMounts } from './mounts.ts';
import { drainOutput, hasWorkUnderWay, markEnd, watchOutput } from './output.ts';
import { type Execute, loadExecute } from './plugin.ts';
import { abortOf } from './primordials.ts';
import { ThrownInside, toResultText } from './result.ts';
import { loadStripped } from './stripped.ts';
import { nameUser } from './user-info.ts';

/** The request that waits for its response; at most one does. */
let pending: number | null = null;
/** Sends the answer that waits for what was printed before it; what goes wrong meanwhile ends the process after that. */
let pendingAnswer: (() => void) | null = null;
let isBroken = false;
/** The request that was answered, while what it left under way goes on. */
let settling: number | null = null;
let cancel: (reason: Error) => void = () => {};
let flushHost: () => void = () => {};
let run: Execute | undefined;
const exit = process.exit.bind(process, 1);
const listenerCount = process.listenerCount.bind(process);
const emit = process.emit.bind(process) as (name: string, ...values: unknown[]) => boolean;
const { setTimeout } = globalThis;

watchOutput();
captureConsole();
nameUser();
nameLoopback();
tellCores();
loadStripped(STRIPPED_FILE);
enterFolder();
const { stdin, requests } = listen(({ method, id, params }) => {
  if (method === 'load') void serve(id, () => load(params as LoadParams));
  if (method === 'execute') void serve(id, () => execute(id, params as ExecuteParams));
  if (method === 'cancel') cancel(new Error('the execution was cancelled'));
});
process.on('uncaughtException', onUncaught);
// Node has no more than `#<Object>` of what is no error.
process.on('unhandledRejection', (reason) => {
  if (listenerCount('unhandledRejection') > 1) return;
  if (listenerCount('uncaughtException') > 1)
    emit('uncaughtException', toError(reason), 'unhandledRejection');
  else onUncaught(reason);
});
process.on('beforeExit', () => {
  if (settling !== null) settle(settling, false);
  else if (pending !== null)
    void fail(pending, 'noResult', new Error('nothing is left to wait for, and no result came'));
});
const mounts = tellMounts(MOUNTS_FOLDER);
sendNotification(
  'ready',
  `{"protocol":${PROTOCOL_VERSION},"node":${quote(process.version)}${mounts === null ? '' : `,"mounts":${mounts}`}}`,
);

function onUncaught(thrown: unknown): void {
  // A plugin that handles them itself goes on.
  if (listenerCount('uncaughtException') > 1) return;
  // With no call to answer, the error is reported beside the answer, and the container must not serve the next call.
  if (pendingAnswer !== null) {
    // Once may be the plugin; after that Node itself is broken, and the waiting never ends.
    if (isBroken) pendingAnswer();
    isBroken = true;
  } else if (pending === null) {
    if (settling !== null) settle(settling, false, describeThrown(thrown));
    exit();
  } else void fail(pending, 'uncaught', thrown);
}

/** As Node has it for those who listen. */
function toError(reason: unknown): Error {
  if (isError(reason)) return reason;
  const error = new Error(`a promise was rejected that nobody waits for, with ${describeThrown(reason)}`);
  return Object.assign(error, { code: 'ERR_UNHANDLED_REJECTION' });
}

// The working directory of the container is fixed: an image could name another one.
function enterFolder(): void {
  try {
    process.chdir(PLUGIN_FOLDER);
  } catch {
    // Outside of a container the file is missing.
  }
}

async function serve(id: number, answer: () => Promise<string>): Promise<void> {
  pending = id;
  settling = null;
  // Only the plugin keeps the process busy now: when it has nothing left to wait for, it can never answer.
  stdin.unref();
  requests.open();
  try {
    await respond(id, `"result":${await answer()}`);
  } catch (error) {
    await fail(id, codeOf(error), error);
  }
}

function tellWarnings(warnings: readonly BorderWarning[]): void {
  // Not by an iterator: the plugin may have replaced it.
  for (let index = 0; index < warnings.length; index++) {
    const { path, message } = warnings[index] as BorderWarning;
    sendNotification('warning', `{"path":${quote(path)},"message":${quote(message)}}`);
  }
}

function codeOf(error: unknown): keyof typeof RUNNER_ERRORS {
  if (run === undefined) return 'notLoadable';
  if (!BorderError.is(error)) return 'pluginFailed';
  return error.kind === 'limit' ? 'overLimit' : 'notSerializable';
}

async function load({ entryPoint }: LoadParams): Promise<string> {
  run = await loadExecute(entryPoint);
  return 'null';
}

async function execute(
  id: number,
  { entryPoint, context, maxResultBytes = Number.POSITIVE_INFINITY }: ExecuteParams,
): Promise<string> {
  // Before it is loaded, where that is still to be done: modules look at the clock, too.
  setClock(context.environment);
  if (run === undefined) await load({ entryPoint });
  const cancellation = new AbortController();
  cancel = (reason) => abortOf(cancellation, reason);
  // It is deaf and dumb once its own execution is over.
  const host = createHost({ isOpen: () => pending === id, signal: cancellation.signal });
  flushHost = host.flush;
  const result: unknown = await (run as Execute)(context, host.face);
  const limits = { depth: MAX_RESULT_DEPTH, values: MAX_RESULT_VALUES, bytes: maxResultBytes };
  return await toResultText(result, limits, (warnings) => {
    // What failed meanwhile has its answer.
    if (pending === id) tellWarnings(warnings);
  });
}

function fail(id: number, code: keyof typeof RUNNER_ERRORS, error: unknown): Promise<void> {
  const described = ThrownInside.is(error)
    ? describeFailure(code, error.thrown, error.path)
    : describeFailure(code, error);
  return respond(id, `"error":${described}`);
}

/** After everything that was printed before it. */
async function respond(id: number, member: string): Promise<void> {
  if (pending !== id) return;
  pending = null;
  requests.close();
  // The host reads the response and ends the container or asks again; this process must not end by itself.
  stdin.ref();
  const answerOnce = (): void => {
    if (pendingAnswer !== answerOnce) return;
    pendingAnswer = null;
    // Told before the answer, so that whoever calls again at once finds the container free.
    let settled: string | undefined;
    if (id !== LOAD_ID) {
      markEnd(id);
      if (hasWorkUnderWay(stdin)) settling = id;
      else settled = toNotification('settled', `{"id":${id},"cut":false}`);
    }
    send(`{"jsonrpc":"2.0","id":${id},${member}}`, settled);
    if (isBroken) exit();
  };
  pendingAnswer = answerOnce;
  flushHost();
  await drainOutput();
  answerOnce();
  // What a plugin has under way when it is loaded is there to stay.
  if (settling !== id) return;
  // From here on only what the plugin has under way keeps the process busy, and at its end `beforeExit` comes.
  stdin.unref();
  setTimeout(() => settle(id, true), GRACE_MS).unref();
}

/** Tells that nothing is under way any more, or that it was not waited for longer, or what it threw. */
function settle(id: number, isCut: boolean, thrown: string | null = null): void {
  if (settling !== id) return;
  settling = null;
  stdin.ref();
  const error = thrown === null ? '' : `,"error":${quote(thrown)}`;
  sendNotification('settled', `{"id":${id},"cut":${isCut}${error}}`);
}
