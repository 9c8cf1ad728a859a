/** The program inside the container: says `ready`, executes one plugin once, and leaves when the host hangs up. */
import {
  EXECUTE_ID,
  type ExecuteParams,
  type LogLevel,
  PROTOCOL_VERSION,
  type RUNNER_ERRORS,
} from '../protocol/messages.ts';
import { listen, quote, send, sendNotification } from './channel.ts';
import { captureConsole, sendLog } from './console.ts';
import { describeFailure } from './failure.ts';
import { type Execute, loadExecute } from './plugin.ts';
import { freeze, isFiniteNumber, stringify, toStringOf } from './primordials.ts';

const LOG_LEVELS: Readonly<Record<string, LogLevel | null>> = freeze({
  __proto__: null,
  debug: 'debug',
  info: 'info',
  warn: 'warn',
  error: 'error',
});

const cancellation = new AbortController();
const abort = cancellation.abort.bind(cancellation);
/** What a plugin gets beside its context. */
const host = freeze({ log, progress, signal: cancellation.signal });
let responded = false;

captureConsole();
const stdin = listen(({ method, params }) => {
  if (method === 'execute') void execute(params as ExecuteParams);
  if (method === 'cancel') abort(new Error('the execution was cancelled'));
});
process.on('uncaughtException', (error) => fail('pluginFailed', error));
sendNotification('ready', `{"protocol":${PROTOCOL_VERSION},"node":${quote(process.version)}}`);

async function execute({ entryPoint, context }: ExecuteParams): Promise<void> {
  // Only the plugin keeps the process busy now: when it has nothing left to wait for, it can never answer.
  stdin.unref();
  process.once('beforeExit', () =>
    fail('noResult', new Error('nothing is left to wait for, and no result came')),
  );
  let run: Execute;
  try {
    run = await loadExecute(entryPoint);
  } catch (error) {
    fail('notLoadable', error);
    return;
  }
  try {
    succeed(await run(context, host));
  } catch (error) {
    fail('pluginFailed', error);
  }
}

function log(level: string, message: unknown): void {
  sendLog(LOG_LEVELS[level] ?? 'info', toStringOf(message));
}

function progress(fraction: number, message = ''): void {
  if (!isFiniteNumber(fraction) || fraction < 0 || fraction > 1) {
    throw new RangeError(`expected a fraction from 0 to 1, got ${toStringOf(fraction)}`);
  }
  sendNotification('progress', `{"fraction":${fraction},"message":${quote(toStringOf(message))}}`);
}

function succeed(result: unknown): void {
  let json: string;
  try {
    // A function or `undefined` is no JSON; a plugin that returns nothing answers null.
    json = stringify(result) ?? 'null';
  } catch (error) {
    fail('notSerializable', error);
    return;
  }
  respond(`"result":${json}`);
}

function fail(code: keyof typeof RUNNER_ERRORS, error: unknown): void {
  respond(`"error":${describeFailure(code, error)}`);
}

function respond(member: string): void {
  if (responded) return;
  responded = true;
  // The host reads the response and ends the container; until then this process must not end by itself.
  stdin.ref();
  send(`{"jsonrpc":"2.0","id":${EXECUTE_ID},${member}}`);
}
