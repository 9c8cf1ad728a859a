import * as fs from 'node:fs';
import { Socket } from 'node:net';
import { Readable } from 'node:stream';
import { Requests, type Response, toNotification } from '../protocol/channel.ts';
import { frameRecord, RecordReader } from '../protocol/framing.ts';
import { HUNG_UP_EXIT_CODE } from '../protocol/messages.ts';
import { atomicsWait, bufferFrom, hasOwn, parse, stringify } from './primordials.ts';

// Of the module as it is now: the bundle would look a named import up at each call, and find what the plugin put there.
const { writeSync, openSync, closeSync, constants } = fs;
const STDIN = 0;
const STDOUT = 1;
/** The host limits the context; this bounds what a fault in lurkbox could send. */
const MAX_INPUT_BYTES = 32 * 1024 * 1024;

const pause = new Int32Array(new SharedArrayBuffer(4));

/** Writes records, in one piece, and returns when the kernel has them. */
export function send(json: string, before?: string): void {
  const bytes = bufferFrom(`${before === undefined ? '' : frameRecord(before)}${frameRecord(json)}`);
  let written = 0;
  while (written < bytes.length) {
    try {
      written += writeSync(STDOUT, bytes, written, bytes.length - written);
    } catch (error) {
      // A plugin that touches `process.stdout` makes the pipe non-blocking for everybody.
      if ((error as NodeJS.ErrnoException).code !== 'EAGAIN') throw error;
      atomicsWait(pause, 0, 0, 1);
    }
  }
}

/** `params` is JSON put together from strings and numbers. */
export function sendNotification(method: string, params: string): void {
  send(toNotification(method, params));
}

/** A string as JSON; strings are the one type that no prototype can teach another face. */
export function quote(text: string): string {
  return stringify(text);
}

export interface HostMessage {
  readonly method: string;
  /** Of a request. */
  readonly id: number;
  readonly params?: unknown;
}

export interface Channel {
  /** While it is referenced the process goes on. */
  readonly stdin: Socket;
  /** What is asked of the host; whoever waits for an answer keeps the process. */
  readonly requests: Requests;
}

/** Reads what the host says until it hangs up; then the process ends, because nobody waits for an answer. */
export function listen(onMessage: (message: HostMessage) => void): Channel {
  const fd = moveAside();
  const stdin = new Socket({ fd, readable: true, writable: false });
  const reader = new RecordReader({ maxRecordBytes: MAX_INPUT_BYTES, maxLineBytes: 0 });
  const onWaiting = (isWaiting: boolean): void => void (isWaiting ? stdin.ref() : stdin.unref());
  const requests = new Requests({ send, onWaiting });
  const exit = process.exit.bind(process, HUNG_UP_EXIT_CODE);
  stdin.on('data', (chunk: Buffer) => {
    for (const piece of reader.push(chunk)) {
      if (piece.kind !== 'record') continue;
      const message: unknown = parse(piece.bytes.toString('utf8'));
      // Of its own: the plugin may have given every object a method.
      if (hasOwn(message as object, 'method')) onMessage(message as HostMessage);
      else requests.take(message as Response);
    }
  });
  stdin.on('end', exit);
  stdin.on('error', exit);
  if (fd === STDIN) keepToItself();
  return { stdin, requests };
}

/**
 * Moves the messages to another descriptor and puts `/dev/null` in the place of stdin, so that a plugin that reads its input finds the end
 * at once. Returns the descriptor.
 */
function moveAside(): number {
  let fd: number;
  try {
    // Does not block: the writing end may be closed already.
    fd = openSync('/proc/self/fd/0', constants.O_RDONLY | constants.O_NONBLOCK);
  } catch {
    // A socket cannot be opened once more; then the pipe stays where it is.
    return STDIN;
  }
  closeSync(STDIN);
  // The lowest number that is free.
  openSync('/dev/null', constants.O_RDONLY);
  return fd;
}

// Node's own getter makes a second stream on the pipe, which throws, and whoever imports `node:process` calls it.
function keepToItself(): void {
  const ended = new Readable({ read: () => ended.push(null) });
  Object.defineProperty(process, 'stdin', { value: ended, configurable: true, enumerable: true });
}
