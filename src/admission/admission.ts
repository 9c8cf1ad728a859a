import { SessionTurns } from './session-turns.ts';

/** What one container may use at most. */
export interface Needs {
  readonly memoryBytes: number;
  readonly cpuCores: number;
}

/** The ceilings of memory and CPU are over the needs of all that runs; `Infinity` is none. */
export interface AdmissionOptions extends Needs {
  /** How many run at once. */
  readonly concurrency: number;
  /** How many may wait for a place, or for the turn of their session. */
  readonly maxQueue: number;
}

export interface AdmissionRequest extends Needs {
  /** Whose turn it is. */
  readonly plugin: string;
  /** The calls of one plugin and one session come in one after the other. @default none */
  readonly session?: string | null;
  readonly signal?: AbortSignal | undefined;
  /** Asked when it is this call's turn: memory of an idle container that the call then needs no more of. */
  readonly claim?: () => Hold | null;
}

/** Memory of a container that is there and does nothing. */
export interface Hold {
  readonly memoryBytes: number;
  /** Fine to call twice. */
  release(): void;
}

export interface Place extends Disposable {
  /** Fine to call twice. */
  release(): void;
  /** Gives up the place and keeps its memory, in one step: whoever waits is let in after `use`, and may claim it. */
  keepMemory(use: (hold: Hold) => void): void;
}

export type Refusal =
  | { readonly kind: 'full'; readonly waiting: number }
  | {
      readonly kind: 'too large';
      readonly what: 'memory' | 'cpu';
      readonly asked: number;
      readonly ceiling: number;
    };

/** Why a call may not even wait. */
export class RefusedError extends Error {
  override readonly name = 'RefusedError';
  readonly refusal: Refusal;

  constructor(refusal: Refusal) {
    super(`No place for this call: ${refusal.kind}`);
    this.refusal = refusal;
  }
}

/** CPU is added up in whole numbers: 0.1 + 0.2 is more than 0.3, and what was taken could not be given back. */
const NANO = 1e9;

/**
 * Lets executions in, as many as fit under the ceilings of number, memory and CPU.
 *
 * Containers that are idle hold memory and nothing else. They give way: when memory is all that a call lacks, `onShortage`
 * is told how much, and what is released goes to that call.
 *
 * Who does not fit waits in line: first come, first served among the calls of one plugin, and the plugins take turns. When
 * the call whose turn it is does not fit, those behind it wait too, so that small ones cannot keep a large one out for ever;
 * it gets what is freed next, and waits no longer than what runs. Of each session one call is in line at most: the others wait
 * for that one to be done, and are in nobody's way.
 */
export class Admission {
  readonly #concurrency: number;
  readonly #maxQueue: number;
  #ceilings: Needs;
  #running = 0;
  #memoryBytes = 0;
  #nanoCpus = 0;
  /** In the order of their turns. A plugin of which nobody waits is not among them. */
  readonly #queues = new Map<string, Set<WaitingCall>>();
  readonly #turns = new SessionTurns<WaitingCall>();
  /** In line, and for a turn. */
  #waiting = 0;
  #heldBytes = 0;
  /** While set, what is released lets nobody in. */
  #isQuiet = false;
  /** Told how many bytes of idle containers the call whose turn it is needs. */
  onShortage: (bytes: number) => void = () => {};

  constructor({ concurrency, maxQueue, memoryBytes, cpuCores }: AdmissionOptions) {
    this.#concurrency = concurrency;
    this.#maxQueue = maxQueue;
    this.#ceilings = { memoryBytes, cpuCores };
  }

  /** What runs, what all containers may use together, how much of it is of idle ones, and how many calls wait. */
  get held(): Needs & { readonly running: number; readonly waiting: number; readonly idleBytes: number } {
    return {
      running: this.#running,
      waiting: this.#waiting,
      idleBytes: this.#heldBytes,
      memoryBytes: this.#memoryBytes + this.#heldBytes,
      cpuCores: this.#nanoCpus / NANO,
    };
  }

  get memoryCeilingBytes(): number {
    return this.#ceilings.memoryBytes;
  }

  /** Waiting calls that are larger than the new ceilings are refused; what runs stays. */
  setCeilings({ memoryBytes, cpuCores }: Needs): void {
    this.#ceilings = { memoryBytes, cpuCores };
    const inLine = [...this.#queues.values()].flatMap((queue) => [...queue]);
    for (const call of [...inLine, ...this.#turns]) {
      const refusal = this.#tooLarge(call.request);
      if (refusal !== null) this.#dismiss(call, new RefusedError(refusal));
    }
    this.#admit();
  }

  /**
   * A place, as soon as there is one; whoever gets it releases it on every path. Rejects with a `RefusedError` when the
   * queue is full or the call alone is above a ceiling, and with the signal's reason when that is aborted before.
   */
  enter(request: AdmissionRequest): Promise<Place> {
    if (request.signal?.aborted) return Promise.reject(request.signal.reason);
    const tooLarge = this.#tooLarge(request);
    if (tooLarge !== null) return Promise.reject(new RefusedError(tooLarge));
    const hasTurn = this.#turns.take(turnOf(request));
    const isNext = hasTurn && this.#queues.size === 0;
    const place = isNext ? this.#tryTake(request) : null;
    if (place !== null) return Promise.resolve(place);
    // Idle containers give way at once, so they do not make anybody busy.
    const hasRoom = isNext && this.#lacks(request, 0) === null;
    if (this.#waiting >= this.#maxQueue && !hasRoom) {
      if (hasTurn) this.#passTurn(request);
      return Promise.reject(new RefusedError({ kind: 'full', waiting: this.#waiting }));
    }
    return this.#wait(request, hasTurn);
  }

  #tooLarge({ memoryBytes, cpuCores }: Needs): Refusal | null {
    const { memoryBytes: memory, cpuCores: cores } = this.#ceilings;
    if (memoryBytes > memory)
      return { kind: 'too large', what: 'memory', asked: memoryBytes, ceiling: memory };
    if (cpuCores > cores) return { kind: 'too large', what: 'cpu', asked: cpuCores, ceiling: cores };
    return null;
  }

  /** Memory for a container that nobody has called for; `null` where `mayHold` denies it. */
  hold(memoryBytes: number): Hold | null {
    return this.mayHold(memoryBytes) ? this.#hold(memoryBytes) : null;
  }

  /** Whether so much memory is free, and nobody in line for it. */
  mayHold(memoryBytes: number): boolean {
    const all = this.#memoryBytes + this.#heldBytes + memoryBytes;
    return this.#queues.size === 0 && all <= this.#ceilings.memoryBytes;
  }

  #hold(memoryBytes: number): Hold {
    this.#heldBytes += memoryBytes;
    const release = once(() => {
      this.#heldBytes -= memoryBytes;
      this.#admit();
    });
    return { memoryBytes, release };
  }

  #lacks({ memoryBytes, cpuCores }: Needs, heldBytes: number): 'memory' | 'place' | null {
    if (this.#running >= this.#concurrency) return 'place';
    if (this.#nanoCpus + toNano(cpuCores) > toNano(this.#ceilings.cpuCores)) return 'place';
    return this.#memoryBytes + heldBytes + memoryBytes > this.#ceilings.memoryBytes ? 'memory' : null;
  }

  #tryTake(request: AdmissionRequest): Place | null {
    if (this.#lacks({ ...request, memoryBytes: 0 }, 0) === 'place') return null;
    const claimed = request.claim?.() ?? null;
    if (claimed !== null) {
      // From one account to the other, and nobody is let in between.
      this.#isQuiet = true;
      claimed.release();
      this.#isQuiet = false;
      return this.#take(request);
    }
    return this.#lacks(request, this.#heldBytes) === null ? this.#take(request) : null;
  }

  #take(request: AdmissionRequest): Place {
    this.#count(request, 1);
    const release = once(() => {
      this.#count(request, -1);
      this.#passTurn(request);
      this.#admit();
    });
    const keepMemory = (use: (hold: Hold) => void): void => {
      use(this.#hold(request.memoryBytes));
      release();
    };
    return { release, keepMemory, [Symbol.dispose]: release };
  }

  #count({ memoryBytes, cpuCores }: Needs, sign: 1 | -1): void {
    this.#running += sign;
    this.#memoryBytes += sign * memoryBytes;
    this.#nanoCpus += sign * toNano(cpuCores);
  }

  #wait(request: AdmissionRequest, hasTurn: boolean): Promise<Place> {
    const { promise, resolve, reject } = Promise.withResolvers<Place>();
    const onAbort = (): void => {
      this.#dismiss(call, request.signal?.reason);
      // The one behind it may fit where it did not.
      this.#admit();
    };
    const call: WaitingCall = { request, resolve, reject, onAbort };
    this.#waiting++;
    request.signal?.addEventListener('abort', onAbort, { once: true });
    if (hasTurn) this.#join(call);
    else this.#turns.wait(turnOf(request), call);
    this.#tellShortage();
    return promise;
  }

  /** At the end of the line of its plugin. */
  #join(call: WaitingCall): void {
    const { plugin } = call.request;
    const queue = this.#queues.get(plugin) ?? new Set();
    this.#queues.set(plugin, queue.add(call));
  }

  #passTurn(request: AdmissionRequest): void {
    const next = this.#turns.pass(turnOf(request));
    if (next !== null) this.#join(next);
  }

  #admit(): void {
    if (this.#isQuiet) return;
    for (;;) {
      const [next] = this.#queues;
      if (next === undefined) return;
      const [plugin, queue] = next;
      const [call] = queue;
      if (call === undefined) return;
      const place = this.#tryTake(call.request);
      if (place === null) break;
      this.#leave(call);
      // To the end of the line.
      if (this.#queues.delete(plugin)) this.#queues.set(plugin, queue);
      call.resolve(place);
    }
    this.#tellShortage();
  }

  /** Asks the call whose turn it is again: a container that it may claim, or that gives way, may have come meanwhile. */
  remind(): void {
    this.#admit();
  }

  #tellShortage(): void {
    const [[, queue] = []] = this.#queues;
    const [call] = queue ?? [];
    if (call === undefined || this.#heldBytes === 0 || this.#lacks(call.request, 0) !== null) return;
    const free = this.#ceilings.memoryBytes - this.#memoryBytes - this.#heldBytes;
    const missing = call.request.memoryBytes - free;
    if (missing > 0) this.onShortage(missing);
  }

  /** It comes in, or gives up. */
  #leave(call: WaitingCall): void {
    const { plugin, signal } = call.request;
    const queue = this.#queues.get(plugin);
    queue?.delete(call);
    if (queue?.size === 0) this.#queues.delete(plugin);
    this.#waiting--;
    signal?.removeEventListener('abort', call.onAbort);
  }

  #dismiss(call: WaitingCall, reason: unknown): void {
    this.#leave(call);
    if (!this.#turns.leave(turnOf(call.request), call)) this.#passTurn(call.request);
    call.reject(reason);
  }
}

interface WaitingCall {
  readonly request: AdmissionRequest;
  readonly resolve: (place: Place) => void;
  readonly reject: (reason: unknown) => void;
  readonly onAbort: () => void;
}

function once(work: () => void): () => void {
  let isDone = false;
  return () => {
    if (isDone) return;
    isDone = true;
    work();
  };
}

function turnOf({ plugin, session = null }: AdmissionRequest): string | null {
  return session === null ? null : JSON.stringify([plugin, session]);
}

function toNano(cores: number): number {
  return Math.round(cores * NANO);
}
