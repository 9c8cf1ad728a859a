import * as fs from 'node:fs';
import { Writable } from 'node:stream';
import { frameRecord } from '../protocol/framing.ts';
import { toOutputEnd } from '../protocol/messages.ts';
import {
  bufferFrom,
  defineProperty,
  getOwnPropertyDescriptor,
  newPromise,
  reflectApply,
  startsWith,
  uncurry,
} from './primordials.ts';
import { hasThreads, MAX_STARTING_MS, stateOfThreads, watchThreads } from './threads.ts';

const STDERR = 2;
/** Turns in which a logger prints what it put off for a moment. */
const TICKS = 3;
/** Turns of the event loop in which the output of threads reaches the streams of this one. */
const TURNS = 3;
/** For writes under way, as loggers leave some: each begins the next when it has ended. */
const MAX_WRITING_MS = 200;
const WRITING_POLL_MS = 1;
/** A host that does not read for this long is taken for dead. */
const MAX_WAIT_MS = 1_000;

const { writeSync } = fs;
const write = uncurry(Writable.prototype.write) as unknown as (
  stream: Writable,
  text: string,
  done: () => void,
) => boolean;
const { setImmediate, setTimeout, clearTimeout } = globalThis;
const now = performance.now.bind(performance);
const underWay = process.getActiveResourcesInfo.bind(process);
const nextTick = process.nextTick.bind(process);
const opened: Writable[] = [];

/** A pipe of Node's own. */
interface Blockable {
  readonly setBlocking?: (isBlocking: boolean) => void;
}

/** Learns which of Node's own output streams are in use; one that nobody asked for is never made. */
export function watchOutput(): void {
  watchThreads();
  for (const name of ['stdout', 'stderr'] as const) {
    const own = getOwnPropertyDescriptor(process, name)?.get;
    if (own === undefined) continue;
    let stream: (Writable & { readonly _handle?: Blockable }) | undefined;
    const get = (): Writable => {
      if (stream === undefined) {
        stream = reflectApply(own, process, []) as Writable & { readonly _handle?: Blockable };
        // Else a logger beside the stream gets EAGAIN where the host reads slowly, and tries again much later.
        stream._handle?.setBlocking?.(true);
        opened[opened.length] = stream;
      }
      return stream;
    };
    defineProperty(process, name, { get, configurable: true, enumerable: true });
  }
}

/** Resolves when the kernel has all that was printed until now, as far as Node knows of it. */
export async function drainOutput(): Promise<void> {
  for (let tick = 0; tick < TICKS; tick++) await newPromise<void>((resolve) => nextTick(resolve));
  // Without threads nothing of the plugin's comes between its answer and this.
  for (let turn = 0; hasThreads() && turn < TURNS; turn++)
    await newPromise<void>((resolve) => void setImmediate(resolve));
  const begun = now();
  for (let limit = limitOf(); now() - begun < limit; limit = limitOf())
    await newPromise<void>((resolve) => void setTimeout(resolve, WRITING_POLL_MS));
  for (let index = 0; index < opened.length; index++) await drain(opened[index] as Writable);
}

/** How long what is under way now is waited for, from the return of `execute` on. */
function limitOf(): number {
  const threads = hasThreads() ? stateOfThreads() : 'quiet';
  if (threads === 'starting') return MAX_STARTING_MS;
  return threads === 'busy' || isWriting() ? MAX_WRITING_MS : 0;
}

/** Whether Node is asked to read or write a file, a descriptor of the output perhaps. */
function isWriting(): boolean {
  try {
    const resources = underWay();
    for (let index = 0; index < resources.length; index++)
      if (startsWith(resources[index] as string, 'FSReq')) return true;
  } catch {
    // The plugin broke what Node uses for that; the answer does not wait.
  }
  return false;
}

/** Whether anything but the channel to the host keeps the process busy. */
export function hasWorkUnderWay(channel: { ref(): unknown; unref(): unknown }): boolean {
  channel.unref();
  const isBusy = hasThreads() || underWay().length > 0;
  channel.ref();
  return isBusy;
}

/** Marks on stderr where the output of an execution ends: what comes over stdout does not tell how far stderr is. */
export function markEnd(id: number): void {
  try {
    // On a line of its own, whatever the plugin left unfinished.
    writeSync(STDERR, bufferFrom(`\n${frameRecord(toOutputEnd(id))}`));
  } catch {
    // Closed by the plugin, or full: the host waits for a moment and no longer.
  }
}

async function drain(stream: Writable): Promise<void> {
  if (stream.destroyed || stream.writableEnded || stream.writableLength === 0) return;
  await newPromise<void>((resolve) => {
    const timer = setTimeout(resolve, MAX_WAIT_MS);
    const done = (): void => {
      clearTimeout(timer);
      resolve();
    };
    stream.once('error', done);
    try {
      write(stream, '', done);
    } catch {
      done();
    }
  });
}
