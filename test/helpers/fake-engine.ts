import { Readable } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import { demultiplex } from '../../src/engine/docker/streams.ts';
import type {
  ContainerEngine,
  ContainerExit,
  ContainerStreams,
  ContainerSummary,
  ContainerUsage,
  EngineFacts,
  ImageDetails,
  ImageSummary,
  NetworkSummary,
} from '../../src/engine/engine.ts';
import { LurkboxError, type LurkboxErrorCode } from '../../src/errors.ts';
import { frameRecord } from '../../src/protocol/framing.ts';
import { LOAD_ID, toOutputEnd } from '../../src/protocol/messages.ts';
import type { ContainerSpec } from '../../src/spec/container-spec.ts';
import { FACTS } from '../engine/sample.ts';

/** The calls of one execution, in the order in which they come. */
export const EXECUTION_CALLS = [
  'createNetwork',
  'createContainer',
  'attachContainer',
  'startContainer',
  'waitContainer',
  'containerExit',
  'containerUsage',
  'removeContainer',
  'removeNetwork',
] as const;

export type EngineCall = (typeof EXECUTION_CALLS)[number];

/** What happens at a call: it may throw, wait, or never return. Told which time this is, from 1. */
export type Hook = (time: number) => unknown;

/**
 * An engine without containers. It keeps a record of the calls, runs a program in place of a container, and can be made
 * to fail, hang or be slow `before` a call takes effect, or to lose its answer `after` it did.
 */
export class FakeEngine implements ContainerEngine {
  readonly endpoint = {
    url: 'fake://engine',
    chosenBy: 'a test',
    isChosen: true,
    env: {},
    connection: 'plain TCP',
  } as const;
  readonly calls: EngineCall[] = [];
  readonly before: Partial<Record<EngineCall, Hook>> = {};
  readonly after: Partial<Record<EngineCall, Hook>> = {};
  readonly containers: FakeContainer[] = [];
  readonly networks = new Map<string, Readonly<Record<string, string>>>();
  /** Names of the containers whose start was asked for, as often as it was. */
  readonly started: string[] = [];
  /** The deadlines that waits were given. */
  readonly waits: number[] = [];
  /** Ids and names that a removal was asked for. */
  readonly removed: string[] = [];
  /** Of everything that it lists. */
  state = 'running';
  createdAtMs = 0;
  usage: ContainerUsage = { peakMemoryBytes: 50_000_000, cpuTimeMs: 40 };
  /** The most removals of one container at the same time. */
  mostRemovalsAtOnce = 0;
  #removals = 0;
  readonly #program: (container: FakeContainer) => unknown;

  /** The program runs once the container has been started. */
  constructor(program: (container: FakeContainer) => unknown = () => {}) {
    this.#program = program;
  }

  /** The first container, which is the only one where there is one execution. */
  get container(): FakeContainer {
    const [first] = this.containers;
    if (first === undefined) throw new Error('no container was created');
    return first;
  }

  get alive(): FakeContainer[] {
    return this.containers.filter(({ isRemoved }) => !isRemoved);
  }

  timesOf(call: EngineCall): number {
    return this.calls.filter((made) => made === call).length;
  }

  async facts(): Promise<EngineFacts> {
    return FACTS;
  }

  createContainer(spec: ContainerSpec): Promise<{ id: string }> {
    return this.#call('createContainer', () => {
      const container = new FakeContainer(`id-${this.containers.length + 1}`, spec);
      this.containers.push(container);
      return { id: container.id };
    });
  }

  attachContainer(id: string): Promise<ContainerStreams> {
    return this.#call('attachContainer', () => this.#find(id).streams);
  }

  startContainer(id: string): Promise<void> {
    this.started.push(this.containers.find((container) => container.id === id)?.spec.name ?? id);
    return this.#call('startContainer', () => {
      const container = this.#find(id);
      container.isStarted = true;
      void this.#program(container);
    });
  }

  waitContainer(
    id: string,
    { signal, deadlineMs }: { signal: AbortSignal; deadlineMs: number },
  ): Promise<void> {
    this.waits.push(deadlineMs);
    return this.#call('waitContainer', () => {
      const { ended } = this.#find(id);
      signal.throwIfAborted();
      const { promise, reject } = Promise.withResolvers<never>();
      signal.addEventListener('abort', () => reject(signal.reason), { once: true });
      return Promise.race([ended, promise]);
    });
  }

  containerExit(id: string): Promise<ContainerExit> {
    return this.#call('containerExit', () => this.#find(id).exitState);
  }

  containerUsage(): Promise<ContainerUsage> {
    return this.#call('containerUsage', () => this.usage);
  }

  async removeContainer(idOrName: string): Promise<void> {
    this.removed.push(idOrName);
    this.mostRemovalsAtOnce = Math.max(this.mostRemovalsAtOnce, ++this.#removals);
    try {
      await this.#call('removeContainer', () => {
        this.containers.find(({ id, spec }) => id === idOrName || spec.name === idOrName)?.remove();
      });
    } finally {
      this.#removals--;
    }
  }

  async listContainers(label: string): Promise<ContainerSummary[]> {
    return this.alive
      .filter(({ spec }) => hasLabel(spec.labels, label))
      .map(({ id, spec }) => ({
        id,
        names: [spec.name],
        labels: spec.labels,
        state: this.state,
        createdAtMs: this.createdAtMs,
      }));
  }

  createNetwork(name: string, labels: Readonly<Record<string, string>>): Promise<void> {
    return this.#call('createNetwork', () => void this.networks.set(name, labels));
  }

  removeNetwork(name: string): Promise<void> {
    return this.#call('removeNetwork', () => void this.networks.delete(name));
  }

  async listNetworks(label: string): Promise<NetworkSummary[]> {
    return [...this.networks]
      .map(([name, labels]) => ({ name, labels, createdAtMs: this.createdAtMs }))
      .filter(({ labels }) => hasLabel(labels, label));
  }

  async inspectImage(): Promise<ImageDetails | null> {
    return null;
  }

  async listImages(): Promise<ImageSummary[]> {
    return [];
  }

  loadImage(): Promise<void> {
    throw new Error('a fake engine has no images');
  }

  exportImage(): Promise<Readable> {
    throw new Error('a fake engine has no images');
  }

  buildImage(): Promise<string> {
    throw new Error('a fake engine has no images');
  }

  async removeImage(): Promise<boolean> {
    return false;
  }

  async #call<T>(call: EngineCall, effect: () => T | Promise<T>): Promise<T> {
    this.calls.push(call);
    const time = this.timesOf(call);
    try {
      await this.before[call]?.(time);
    } catch (error) {
      const { lateMs } = error as { lateMs?: number };
      // By then there may be nothing left to do it to, which is nobody's fault.
      if (lateMs !== undefined)
        void delay(lateMs)
          .then(effect)
          .catch(() => {});
      throw error;
    }
    const answer = await effect();
    await this.after[call]?.(time);
    return answer;
  }

  #find(id: string): FakeContainer {
    const container = this.alive.find((candidate) => candidate.id === id);
    if (container === undefined) throw new LurkboxError('CONTAINER_VANISHED', `No such container: ${id}.`);
    return container;
  }
}

const EXIT: ContainerExit = { exitCode: 0, outOfMemory: false, endedByEngine: false, error: '' };

/** What the host has written. */
export interface HostMessage {
  readonly method: string;
  readonly id?: number;
  readonly params?: unknown;
}

/** A container as the host sees it from outside: a stream, an end, and an exit code. */
export class FakeContainer {
  readonly id: string;
  readonly spec: ContainerSpec;
  readonly streams: ContainerStreams;
  /** Whether it takes what the host writes. */
  isReading = true;
  /** Whether it could have broken its streams. */
  mayBreak = false;
  readonly ended: Promise<void>;
  /** The messages that the host has written. */
  received: HostMessage[] = [];
  /** Told each of them. */
  onReceived: (message: HostMessage) => unknown = () => {};
  /** What it does at the end of its input. @default nothing */
  onHungUp: (() => void) | undefined;
  isStarted = false;
  isRemoved = false;
  exitState: ContainerExit = EXIT;
  #hasExited = false;
  /** What the engine sends by the connection to it. */
  readonly #connection = new Readable({ read: () => {} });
  #isInputOver = false;
  #isStreamOver = false;
  readonly #end: () => void;
  readonly #executed = Promise.withResolvers<void>();

  constructor(id: string, spec: ContainerSpec) {
    this.id = id;
    this.spec = spec;
    ({ promise: this.ended, resolve: this.#end } = Promise.withResolvers<void>());
    this.streams = this.#toStreams();
    this.#connection.on('error', () => {});
  }

  /** Resolves when the host has handed over the context. */
  get executed(): Promise<void> {
    return this.#executed.promise;
  }

  /** One message in a record, as the runner writes it. */
  say(message: object): void {
    const id = 'id' in message && typeof message.id === 'number' ? message.id : LOAD_ID;
    // The runner marks the end of stderr before each response to `execute`, and tells when nothing is under way.
    if (id !== LOAD_ID) this.print(`\n${frameRecord(toOutputEnd(id))}`, 'stderr');
    this.print(frameRecord(JSON.stringify({ jsonrpc: '2.0', ...message })));
    if (id !== LOAD_ID)
      this.print(
        frameRecord(JSON.stringify({ jsonrpc: '2.0', method: 'settled', params: { id, cut: false } })),
      );
  }

  ready(): void {
    this.say({ method: 'ready', params: { protocol: 1, node: 'v24.15.0' } });
  }

  answer(result: unknown): void {
    this.say({ id: 1, result });
  }

  print(text: string | Buffer, stream: 'stdout' | 'stderr' = 'stdout'): void {
    this.send(toFrame(stream, Buffer.from(text)));
  }

  /** Bytes on the attached stream itself, past the engine's framing. */
  send(bytes: Buffer): void {
    if (!this.#isStreamOver && !this.#connection.destroyed) this.#connection.push(bytes);
  }

  /** The process ends, and with it the stream. */
  exit(state: Partial<ContainerExit> = {}): void {
    if (!this.#hasExited) this.exitState = { ...this.exitState, ...state };
    this.#hasExited = true;
    this.#end();
    this.endStream();
  }

  endStream(): void {
    if (!this.#isStreamOver && !this.#connection.destroyed) this.#connection.push(null);
    this.#isStreamOver = true;
  }

  /** The connection to the engine breaks. */
  lose(): void {
    this.#connection.destroy(Object.assign(new Error('read ECONNRESET'), { code: 'ECONNRESET' }));
  }

  remove(): void {
    this.isRemoved = true;
    this.exit({ exitCode: 137 });
  }

  #toStreams(): ContainerStreams {
    const connection = this.#connection;
    const isMayBreak = (): boolean => this.mayBreak;
    const isWritable = (): boolean => !this.#isInputOver && !connection.destroyed;
    return {
      stdin: {
        get isWritable() {
          return isWritable();
        },
        write: (text) => {
          if (isWritable()) queueMicrotask(() => this.#receive(text));
          return this.isReading;
        },
        drained: async (signal) => {
          while (!this.isReading && isWritable() && !signal.aborted) await delay(1);
        },
        end: () => {
          this.#isInputOver = true;
          queueMicrotask(() => this.onHungUp?.());
        },
      },
      output: demultiplex(connection),
      get isOpen() {
        return !connection.destroyed;
      },
      get mayContainerBreak() {
        return isMayBreak();
      },
      keepProcess: () => {},
      close: () => void connection.destroy(),
    };
  }

  #receive(text: string): void {
    for (const record of text.split('\u001e').filter((part) => part !== '')) {
      const message = JSON.parse(record);
      this.received.push(message);
      if (message.method === 'execute') this.#executed.resolve();
      this.onReceived(message);
    }
  }
}

/** One frame of an attach stream. */
export function toFrame(stream: 'stdout' | 'stderr', payload: Buffer): Buffer {
  const header = Buffer.alloc(8);
  header[0] = stream === 'stdout' ? 1 : 2;
  header.writeUInt32BE(payload.length, 4);
  return Buffer.concat([header, payload]);
}

export function engineError(code: LurkboxErrorCode): LurkboxError {
  return new LurkboxError(code, `The fake engine was told to fail with ${code}.`);
}

/** An answer that is not waited for any more, to a call that the engine finishes by itself after so many milliseconds. */
export function lateBy(lateMs: number): LurkboxError {
  return Object.assign(engineError('ENGINE_TIMEOUT'), { lateMs });
}

export const never = (): Promise<never> => new Promise(() => {});

function hasLabel(labels: Readonly<Record<string, string>>, label: string): boolean {
  const [key = '', value] = label.split('=');
  return labels[key] === value;
}
