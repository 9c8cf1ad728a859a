import type { Socket } from 'node:net';
import type { Writable } from 'node:stream';
import type { ContainerStdin, ContainerStreams, OutputSlice } from '../engine.ts';
import { Demuxer } from './demux.ts';

/**
 * The engine takes as much as this from the connection in one piece, also for a container that does not read any more. Beyond
 * that it may close a connection in which something is unread, which looks from here like one that was reset.
 */
const UNREAD_BYTES = 16 * 1024;

/** The streams of a container on the connection that an attach call was answered with. */
export function openStreams(connection: Socket): ContainerStreams {
  // The reading may be over by then; an error that nobody waits for must not end the process.
  connection.on('error', () => {});
  return {
    stdin: toStdin(connection),
    output: demultiplex(connection, release),
    get isOpen() {
      return !connection.destroyed;
    },
    get mayContainerBreak() {
      return connection.bytesWritten > UNREAD_BYTES;
    },
    keepProcess: (isNeeded) => void (isNeeded ? connection.ref() : connection.unref()),
    close: () => void connection.destroy(),
  };
}

export function toStdin(connection: Writable): ContainerStdin {
  return {
    get isWritable() {
      return connection.writable;
    },
    write: (text) => connection.write(text),
    drained: (signal) => drained(connection, signal),
    end: () => void connection.end(),
  };
}

function drained(connection: Writable, signal: AbortSignal): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const done = (): void => {
    connection.off('drain', done).off('close', done);
    signal.removeEventListener('abort', done);
    resolve();
  };
  if (!connection.writableNeedDrain || signal.aborted) resolve();
  else {
    connection.on('drain', done).on('close', done);
    signal.addEventListener('abort', done);
  }
  return promise;
}

/**
 * What arrives by an attach stream, in the order in which it does.
 * @param onRead told of each chunk when nobody needs it any more
 */
export async function* demultiplex(
  chunks: AsyncIterable<Buffer>,
  onRead: (chunk: Buffer) => void = () => {},
): AsyncGenerator<OutputSlice, void, undefined> {
  const demuxer = new Demuxer();
  for await (const chunk of chunks) {
    for (const slice of demuxer.push(chunk)) yield slice;
    onRead(chunk);
  }
  demuxer.end();
}

// What the network gave belongs to nobody else. The collector is in no hurry for memory outside of its heap: of a flood it
// would leave eighty megabytes lying about.
function release({ buffer, byteLength }: Buffer): void {
  if (buffer instanceof ArrayBuffer && buffer.byteLength === byteLength) buffer.transfer(0);
}
