import { Readable } from 'node:stream';
import type Docker from 'dockerode';
import { LurkboxError } from '../../errors.ts';
import type { ContainerSummary } from '../engine.ts';
import { notAnEngine, parseJson, readText } from './answers.ts';
import { quote, tellsHostIsFull } from './errors.ts';

interface Post {
  readonly path: string;
  readonly query: Readonly<Record<string, string>>;
  readonly body: string;
  readonly abortSignal: AbortSignal;
}

// dockerode keeps only the id of a create reply, and the warnings in it decide whether the container may run. It also
// writes an object as JSON by itself; a `file` goes out as it is.
export function post(docker: Docker, { path, query, body, abortSignal }: Post): Promise<unknown> {
  return new Promise((resolve, reject) => {
    docker.modem.dial(
      {
        path: `${path}?`,
        method: 'POST',
        options: { _query: query },
        file: Buffer.from(body),
        headers: { 'Content-Type': 'application/json' },
        abortSignal,
        statusCodes: { 200: true, 201: true },
      },
      (error: unknown, data: unknown) => (error ? reject(error) : resolve(data)),
    );
  });
}

export async function exists(container: Docker.Container, abortSignal: AbortSignal): Promise<boolean> {
  return (await ignoring([404], () => container.inspect({ abortSignal }))) !== undefined;
}

export function readCreated(reply: unknown): { id: string; warnings: readonly string[] } {
  const { Id: id, Warnings: warnings } = (reply ?? {}) as { Id?: unknown; Warnings?: unknown };
  if (typeof id !== 'string') throw notAnEngine('that it created something, and not what');
  return { id, warnings: Array.isArray(warnings) ? warnings.map((warning) => quote(String(warning))) : [] };
}

const MAX_WARNINGS = 20;

// A warning of the engine is how it says that a limit was thrown away.
export function refuseWarnings(warnings: readonly string[]): void {
  if (warnings.length === 0) return;
  throw new LurkboxError(
    'ENGINE_INSECURE',
    'The engine warned about a container it created; it was removed.',
    {
      problems: warnings.slice(0, MAX_WARNINGS).map((message) => ({ path: '', message })),
    },
  );
}

/** dockerode's own call for it takes no signal. */
export function getArchive(docker: Docker, reference: string, abortSignal: AbortSignal): Promise<Readable> {
  return new Promise((resolve, reject) => {
    docker.modem.dial(
      {
        path: `/images/${reference}/get`,
        method: 'GET',
        isStream: true,
        abortSignal,
        statusCodes: { 200: true },
      },
      (error: unknown, archive: unknown) => (error ? reject(error) : resolve(archive as Readable)),
    );
  });
}

/** The same stream, ended with an error beyond `maxBytes`. */
export function upTo(mostBytes: number, stream: Readable): Readable {
  const bounded = Readable.from(takeUpTo(mostBytes, stream), { objectMode: false });
  return bounded.on('close', () => stream.destroy());
}

async function* takeUpTo(mostBytes: number, stream: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  let bytes = 0;
  for await (const chunk of stream) {
    bytes += chunk.length;
    if (bytes > mostBytes) throw notAnEngine(`more than ${mostBytes} bytes`);
    yield chunk;
  }
}

/** dockerode takes the signal everywhere; its types know it only in places. */
export function withSignal(abortSignal: AbortSignal): object {
  return { abortSignal };
}

export async function ignoring<T>(
  statusCodes: readonly number[],
  call: () => Promise<T>,
): Promise<T | undefined> {
  try {
    return await call();
  } catch (error) {
    const { statusCode } = error as { statusCode?: number };
    if (statusCode !== undefined && statusCodes.includes(statusCode)) return undefined;
    throw error;
  }
}

interface ContainerState {
  readonly Running: boolean;
  readonly ExitCode: number;
  readonly OOMKilled: boolean;
  readonly StartedAt: string;
  readonly FinishedAt: string;
}

/** What is left of a container that was killed, or that a restarted engine found dead; a plugin can end with both. */
const ODD_EXIT_CODES = [137, 255];
/**
 * By so much the engine may write its event after the end; it waits two seconds for output that nobody takes, which a
 * plugin can leave behind.
 */
const EVENT_LAGS_MS = [250, 2_500];

/**
 * Its events tell who ended a container: they begin with its own start, and name every kill that it was asked for, and
 * the kernel's for want of memory, which its state says only when it came before the end.
 */
export async function readEnd(
  docker: Docker,
  id: string,
  { Running, ExitCode, OOMKilled, StartedAt, FinishedAt }: ContainerState,
  { isInDoubt, abortSignal }: { isInDoubt: boolean; abortSignal: AbortSignal },
): Promise<{ outOfMemory: boolean; endedByEngine: boolean }> {
  if (Running) return { outOfMemory: false, endedByEngine: true }; // Somebody else started it again.
  if (OOMKilled || (!isInDoubt && !ODD_EXIT_CODES.includes(ExitCode)))
    return { outOfMemory: OOMKilled, endedByEngine: false };
  let actions: string[] | null = [];
  for (const lagMs of EVENT_LAGS_MS) {
    actions = await readActions(docker, {
      since: toSeconds(Date.parse(StartedAt)),
      until: toSeconds(Date.parse(FinishedAt) + lagMs),
      filters: { type: ['container'], container: [id] },
      abortSignal,
    });
    if (actions === null) return { outOfMemory: false, endedByEngine: false };
    if (actions.includes('kill') || actions.includes('die')) break;
  }
  return {
    outOfMemory: actions.includes('oom'),
    endedByEngine: actions.includes('kill') || !actions.includes('die'),
  };
}

/** One container has a handful of events between its start and its end. */
const MAX_EVENTS_BYTES = 1024 * 1024;

/** `null` where events may not be read. */
async function readActions(docker: Docker, options: Docker.GetEventsOptions): Promise<string[] | null> {
  try {
    const stream = await docker.getEvents(options);
    const text = await readText(stream as AsyncIterable<unknown>, MAX_EVENTS_BYTES);
    const lines = text.split('\n').filter((line) => line !== '');
    return lines.map((line) => (parseJson(line) as { Action: string }).Action);
  } catch (error) {
    if ((error as { statusCode?: number }).statusCode === undefined) throw error;
    return null;
  }
}

function toSeconds(ms: number): number {
  return Math.floor(ms) / 1000;
}

/** All that it may tell while it loads or builds, and how much of it is kept: an error comes last. */
const MAX_PROGRESS_BYTES = 64 * 1024 * 1024;
const KEPT_PROGRESS_CHARS = 64 * 1024;

/** The replies to load and build are JSON objects, one a line; the last one may be an error under status 200. Answers their end. */
export async function readProgress(reply: Readable): Promise<string> {
  let text = '';
  let bytes = 0;
  for await (const chunk of reply as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > MAX_PROGRESS_BYTES) throw notAnEngine(`more than ${MAX_PROGRESS_BYTES} bytes of progress`);
    text += String(chunk);
    // Cut now and then only: to cut after each byte that comes alone would copy all of it each time.
    if (text.length > 2 * KEPT_PROGRESS_CHARS) text = text.slice(-KEPT_PROGRESS_CHARS);
  }
  const failure = text
    .split('\n')
    .map((line) => /"error":"((?:[^"\\]|\\.)*)"/.exec(line)?.[1])
    .find((message) => message !== undefined);
  if (failure === undefined) return text;
  const code = tellsHostIsFull(failure) ? 'HOST_RESOURCES' : 'IMAGE_BUILD_FAILED';
  throw new LurkboxError(code, `The engine refused the image: ${quote(failure)}`);
}

/** The last one that a build names is the one with the tag. */
export function readBuiltId(reply: string): string {
  const id = [...reply.matchAll(/"aux":\{"ID":"(sha256:[0-9a-f]{64})"\}/g)].at(-1)?.[1];
  if (id !== undefined) return id;
  throw new LurkboxError('IMAGE_BUILD_FAILED', 'The engine does not say which image it built.');
}

export async function listContainers(
  docker: Docker,
  label: string,
  abortSignal: AbortSignal,
): Promise<ContainerSummary[]> {
  const containers = await docker.listContainers({ all: true, filters: { label: [label] }, abortSignal });
  return containers.map(({ Id, Names, Labels, State, Created }) => ({
    id: Id,
    names: Names.map((name) => name.replace(/^\//, '')),
    labels: Labels,
    state: State,
    createdAtMs: Created * 1000,
  }));
}
