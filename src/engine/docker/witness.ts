import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import type { ClientRequest } from 'node:http';
import type { Readable } from 'node:stream';
import type { ContainerSummary } from '../engine.ts';
import { notAnEngine } from './answers.ts';
import { connectDocker } from './connect.ts';

/** Something that happened to a container, as the engine tells it. */
export interface ContainerEvent {
  readonly action: string;
  readonly id: string;
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
}

/** A call of this process that named a container and was no question. */
export interface ContainerCall {
  /** `POST start`, `DELETE` */
  readonly call: string;
  /** Id or name. */
  readonly container: string;
}

/**
 * Looks on while others work with an engine: by the events of the engine, and by the calls that leave this process. It
 * has a connection of its own, takes no part, and believes nobody's account of himself.
 */
export interface EngineWitness extends AsyncDisposable {
  readonly events: readonly ContainerEvent[];
  readonly calls: readonly ContainerCall[];
  /** Every container of the engine, in any state, whoever made it. */
  containers(): Promise<ContainerSummary[]>;
}

/** @throws LurkboxError `ENGINE_UNAVAILABLE` */
export async function witnessEngine({ env }: { env: NodeJS.ProcessEnv }): Promise<EngineWitness> {
  const { docker } = await connectDocker(env);
  const events: ContainerEvent[] = [];
  const calls: ContainerCall[] = [];
  const stream = await docker.getEvents({ filters: { type: ['container'] } });
  // The connection ends when the witness leaves.
  stream.on('error', () => {});
  const keepEvent = (line: string): void => {
    if (events.length < MAX_EVENTS) events.push(toEvent(line));
  };
  forEachLine(stream as Readable, keepEvent).catch(() => {});
  const onRequest = (message: unknown): void => {
    const call = toCall((message as { request: ClientRequest }).request);
    if (call !== null) calls.push(call);
  };
  subscribe(REQUESTS, onRequest);
  return {
    events,
    calls,
    containers: async () =>
      (await docker.listContainers({ all: true })).map(({ Id, Names, Labels, State, Created }) => ({
        id: Id,
        names: Names.map((name) => name.replace(/^\//, '')),
        labels: Labels,
        state: State,
        createdAtMs: Created * 1000,
      })),
    [Symbol.asyncDispose]: async () => {
      unsubscribe(REQUESTS, onRequest);
      (stream as unknown as { destroy(): void }).destroy();
    },
  };
}

/** What happens on an engine while the attacks are made is a few thousand events; others have some of them. */
const MAX_EVENTS = 100_000;
/** The labels of a container are among its events. */
const MAX_LINE_CHARS = 4 * 1024 * 1024;

async function forEachLine(stream: Readable, onLine: (line: string) => void): Promise<void> {
  let line = '';
  for await (const chunk of stream.setEncoding('utf8') as AsyncIterable<string>) {
    const [end = '', ...starts] = chunk.split('\n');
    line += end;
    for (const start of starts) {
      if (line !== '') onLine(line);
      line = start;
    }
    if (line.length > MAX_LINE_CHARS) throw notAnEngine(`a line of more than ${MAX_LINE_CHARS} characters`);
  }
}

/** Every request that `node:http` sends; dockerode has no other way. */
const REQUESTS = 'http.client.request.start';

function toEvent(line: string): ContainerEvent {
  const { Action, Actor } = JSON.parse(line) as {
    Action: string;
    Actor: { ID: string; Attributes: Record<string, string> };
  };
  // Labels stand among the attributes, of which `name` is one.
  const { name = '', ...labels } = Actor.Attributes;
  return { action: Action, id: Actor.ID, name, labels };
}

/** Waiting and attaching only observe, too; everything else that is no GET changes something. */
const PASSIVE_ACTIONS = ['wait', 'attach', 'resize'];

function toCall({ method, path }: ClientRequest): ContainerCall | null {
  const [, container, action = ''] = /^(?:\/v[\d.]+)?\/containers\/([^/?]+)(?:\/(\w+))?/.exec(path) ?? [];
  if (container === undefined || container === 'create' || container === 'json') return null;
  if (method === 'GET' || method === 'HEAD' || PASSIVE_ACTIONS.includes(action)) return null;
  return { call: `${method} ${action}`.trim(), container: decodeURIComponent(container) };
}
