import { type FullLine, type Refusal, RefusedError } from './refusal.ts';
import { SessionTurns } from './session-turns.ts';
import type { AdmissionRequest, MemoryReservation, Slot } from './slot.ts';
import { Tallies } from './tallies.ts';
import { type Ceilings, type Needs, Usage } from './usage.ts';
import { WaitingLine } from './waiting-line.ts';

export { type Refusal, RefusedError } from './refusal.ts';
export type { AdmissionRequest, MemoryReservation, Slot } from './slot.ts';
export type { Needs } from './usage.ts';

export interface AdmissionOptions extends Ceilings {
  /** How many may wait for a slot, or for the turn of their session. */
  readonly maxQueue: number;
  /** Whether other plugins exist, for which a reserve is left. @default there are none */
  readonly isShared?: () => boolean;
}

/**
 * Lets executions in, as many as fit under the ceilings of number, memory and CPU.
 *
 * Containers that are idle hold memory and nothing else. They give way: when memory is all that a call lacks, `onShortage`
 * is told how much, and what is released goes to that call.
 *
 * A call that does not fit waits in line: first come, first served among the calls of one plugin. Plugins take turns, and
 * those that have nothing running come before the others. When the next call does not fit, those behind it wait too, so that
 * small calls cannot keep a large one out for ever; it gets what is freed next. Each session has at most one call in line:
 * its others wait until that one is done.
 *
 * No plugin crowds out another. A plugin that has something running leaves a reserve (see `sharedCeiling`) to those that have
 * nothing, where there are other plugins. When the line is full, a call takes the room of the newest waiting call of the
 * plugin with the most, where that plugin has at least two more. Keeping room free instead would let a few plugins fill it.
 * A plugin that is alone may use the whole line.
 */
export class Admission {
  readonly #maxQueue: number;
  readonly #usage: Usage;
  readonly #line = new WaitingLine<WaitingCall>();
  readonly #turns = new SessionTurns<WaitingCall>();
  /** Of each plugin the calls that wait, and one more while something of it runs. */
  readonly #wanted = new Tallies();
  #heldBytes = 0;
  /** While set, what is released lets nobody in. */
  #isQuiet = false;
  /** Called with the bytes that the next call needs from idle containers. */
  onShortage: (bytes: number) => void = () => {};

  constructor({ maxQueue, isShared = () => false, ...ceilings }: AdmissionOptions) {
    this.#maxQueue = maxQueue;
    this.#usage = new Usage(ceilings, isShared);
  }

  /** What runs, what all containers may use together, how much of it is of idle ones, and how many calls wait. */
  get held(): Needs & { readonly running: number; readonly waiting: number; readonly idleBytes: number } {
    const { running, memoryBytes, cpuCores } = this.#usage;
    return {
      running,
      waiting: this.#line.size,
      idleBytes: this.#heldBytes,
      memoryBytes: memoryBytes + this.#heldBytes,
      cpuCores,
    };
  }

  get memoryCeilingBytes(): number {
    return this.#usage.ceilings.memoryBytes;
  }

  /** Waiting calls that are larger than the new ceilings are refused; what runs stays. */
  setCeilings(ceilings: Needs): void {
    this.#usage.setCeilings(ceilings);
    for (const call of [...this.#line]) {
      const refusal = this.tooLarge(call.request);
      if (refusal !== null) this.#dismiss(call, new RefusedError(refusal));
    }
    this.#admit();
  }

  /**
   * A slot, as soon as there is one; whoever gets it releases it on every path. Rejects with a `RefusedError` when the call
   * alone is above a ceiling, when the line is full or its room in it is another plugin's by right, and with the signal's
   * reason when that is aborted before.
   */
  acquire(request: AdmissionRequest): Promise<Slot> {
    if (request.signal?.aborted) return Promise.reject(request.signal.reason);
    const tooLarge = this.tooLarge(request);
    if (tooLarge !== null) return Promise.reject(new RefusedError(tooLarge));
    const hasTurn = this.#turns.take(turnOf(request));
    const isNext = hasTurn && this.#wouldBeNext(request);
    const slot = isNext ? this.#tryTake(request) : null;
    if (slot !== null) return Promise.resolve(slot);
    // Idle containers give way at once, so they do not make anybody busy.
    const hasRoom = isNext && this.#lacks(request, 0) === null;
    if (!hasRoom && this.#line.size >= this.#maxQueue && !this.#makeRoom(request)) {
      if (hasTurn) this.#passTurn(request);
      return Promise.reject(new RefusedError({ kind: 'full', ...this.#describeLine(request) }));
    }
    return this.#wait(request, hasTurn);
  }

  /** Why a call with such needs can never be let in; `null`: it can. */
  tooLarge({ memoryBytes, cpuCores }: Needs): Refusal | null {
    const { memoryBytes: memory, cpuCores: cores } = this.#usage.ceilings;
    if (memoryBytes > memory)
      return { kind: 'too large', what: 'memory', asked: memoryBytes, ceiling: memory };
    if (cpuCores > cores) return { kind: 'too large', what: 'cpu', asked: cpuCores, ceiling: cores };
    return null;
  }

  /** Whether a call that comes now is in front of all that wait. */
  #wouldBeNext({ plugin }: AdmissionRequest): boolean {
    return this.#line.isEmpty || (this.#hasNone(plugin) && this.#firstWithNone() === null);
  }

  /** Takes the newest waiting call from the plugin with the most; answers whether that plugin still has no less than this one then. */
  #makeRoom({ plugin }: AdmissionRequest): boolean {
    const most = this.#wanted.most;
    if (most === null || most.count < this.#wanted.of(plugin) + 2) return false;
    const call = this.#line.newestOf(most.key);
    if (call === null) return false;
    const line = this.#describeLine(call.request, plugin);
    this.#dismiss(call, new RefusedError({ kind: 'gave way', ...line }));
    return true;
  }

  #describeLine({ plugin }: AdmissionRequest, other = plugin): FullLine {
    const plugins = this.#wanted.size + (this.#wanted.of(other) === 0 ? 1 : 0);
    return {
      waiting: this.#line.size,
      ofPlugin: this.#line.sizeOf(plugin),
      plugins,
      share: Math.floor(this.#maxQueue / plugins),
    };
  }

  /** Memory for a container without a call; `null` where `mayReserve` denies it. */
  reserveMemory(memoryBytes: number): MemoryReservation | null {
    return this.mayReserve(memoryBytes) ? this.#reserveMemory(memoryBytes) : null;
  }

  /** Whether this much memory is free and no call waits for it. */
  mayReserve(memoryBytes: number): boolean {
    const all = this.#usage.memoryBytes + this.#heldBytes + memoryBytes;
    return this.#line.isEmpty && all <= this.memoryCeilingBytes;
  }

  #reserveMemory(memoryBytes: number): MemoryReservation {
    this.#heldBytes += memoryBytes;
    const release = once(() => {
      this.#heldBytes -= memoryBytes;
      this.#admit();
    });
    return { memoryBytes, release };
  }

  #lacks(request: AdmissionRequest, idleBytes: number): 'memory' | 'slot' | null {
    return this.#usage.lacks(request.plugin, request, idleBytes);
  }

  #tryTake(request: AdmissionRequest): Slot | null {
    if (this.#lacks(request, 0) !== null) return null;
    const acquired = request.acquire?.() ?? null;
    if (acquired !== null) {
      // Moves the memory in one step, so that no other call gets it in between.
      this.#isQuiet = true;
      acquired.release();
      this.#isQuiet = false;
      return this.#take(request);
    }
    return this.#lacks(request, this.#heldBytes) === null ? this.#take(request) : null;
  }

  #take(request: AdmissionRequest): Slot {
    const { plugin } = request;
    this.#line.passTurn(plugin);
    if (this.#usage.take(plugin, request)) this.#wanted.change(plugin, 1);
    const release = once(() => {
      if (this.#usage.release(plugin, request)) this.#wanted.change(plugin, -1);
      this.#passTurn(request);
      this.#admit();
    });
    const keepMemory = (use: (memory: MemoryReservation) => void): void => {
      use(this.#reserveMemory(request.memoryBytes));
      release();
    };
    return { release, keepMemory, [Symbol.dispose]: release };
  }

  #wait(request: AdmissionRequest, hasTurn: boolean): Promise<Slot> {
    const { promise, resolve, reject } = Promise.withResolvers<Slot>();
    const onAbort = (): void => {
      this.#dismiss(call, request.signal?.reason);
      // The one behind it may fit where it did not.
      this.#admit();
    };
    const call: WaitingCall = { request, resolve, reject, onAbort };
    this.#line.add(request.plugin, call);
    this.#wanted.change(request.plugin, 1);
    request.signal?.addEventListener('abort', onAbort, { once: true });
    if (hasTurn) this.#line.join(request.plugin, call);
    else this.#turns.wait(turnOf(request), call);
    this.#tellShortage();
    return promise;
  }

  #passTurn(request: AdmissionRequest): void {
    const next = this.#turns.pass(turnOf(request));
    if (next !== null) this.#line.join(next.request.plugin, next);
  }

  #admit(): void {
    if (this.#isQuiet) return;
    for (let call = this.#next(); call !== null; call = this.#next()) {
      const slot = this.#tryTake(call.request);
      if (slot === null) break;
      this.#leave(call);
      call.resolve(slot);
    }
    this.#tellShortage();
  }

  /** The call whose turn it is: of the plugins that have no slot, where there is one. Looks at as many as have, and one more. */
  #next(): WaitingCall | null {
    return this.#firstWithNone() ?? this.#line.first;
  }

  #firstWithNone(): WaitingCall | null {
    return this.#line.firstOf((plugin) => this.#hasNone(plugin));
  }

  #hasNone(plugin: string): boolean {
    return !this.#usage.runs(plugin);
  }

  /** Asks the call whose turn it is again: a container that it may acquire, or that gives way, may have come meanwhile. */
  retryNext(): void {
    this.#admit();
  }

  #tellShortage(): void {
    const call = this.#next();
    if (call === null || this.#heldBytes === 0 || this.#lacks(call.request, 0) !== null) return;
    const free = this.memoryCeilingBytes - this.#usage.memoryBytes - this.#heldBytes;
    const missing = call.request.memoryBytes - free;
    if (missing > 0) this.onShortage(missing);
  }

  /** It comes in, or gives up. */
  #leave(call: WaitingCall): void {
    const { plugin, signal } = call.request;
    this.#line.remove(plugin, call);
    this.#wanted.change(plugin, -1);
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
  readonly resolve: (slot: Slot) => void;
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
