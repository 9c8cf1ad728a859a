import type { Duplex } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import type { ContainerEngine } from '../engine/engine.ts';
import { LABELS } from '../labels.ts';
import type { Logger } from '../logger.ts';
import type { Grant } from '../policy/grant.ts';
import { type PluginExecutionContext, PROTOCOL_VERSION } from '../protocol/messages.ts';
import type { RunnerMessage } from '../protocol/runner-message.ts';
import { toAllowance } from '../spec/allowance.ts';
import { buildContainerSpec, IMAGE_PATHS } from '../spec/build.ts';
import { type Heard, listen } from './conversation.ts';
import {
  type Ending,
  endingOfError,
  endingOfExit,
  endingOfResponse,
  failed,
  lost,
  tellsHeapIsFull,
} from './ending.ts';
import { LogBook } from './logs.ts';
import { removeSandbox } from './removal.ts';
import { CANCEL_RECORD, sendExecute } from './request.ts';
import { UNKNOWN_USAGE, type Usage } from './result.ts';
import type { Stopwatch } from './stopwatch.ts';

/** Node in a container is up within a second; a host that needs this long is not going to make it. */
const BOOT_DEADLINE_MS = 30_000;
/** How long a killed container may take to hand over what it wrote before. */
const DRAIN_MS = 1_500;
const DRAIN_SLICES = 15;
/** How long a container may take to end after its stream broke; the end of its input makes the runner leave. */
const UNHEARD_MS = 5_000;
/** How long a cancelled plugin may tidy up what it did outside of its container. */
const CANCEL_GRACE_MS = 200;

export interface ExecutionPlan {
  readonly engine: ContainerEngine;
  readonly grant: Grant;
  /** Image id. */
  readonly image: string;
  readonly entryPoint: string;
  readonly version: string;
  readonly context: PluginExecutionContext;
  /** Who makes the container, as labels. */
  readonly ownerLabels: Readonly<Record<string, string>>;
  readonly stopwatch: Stopwatch;
  readonly logger: Logger;
  readonly signal: AbortSignal | undefined;
  readonly onProgress: ((fraction: number, message: string) => void) | undefined;
  /** Told when something of the execution may be in the engine after `removed`, or may still come. */
  readonly onSuspicion: () => void;
}

/**
 * One execution in one fresh container. Everything that can end it (an answer, the end of the stream, the deadline, the
 * caller, a fault of the protocol or of the engine) calls `#settle`, and the first call wins. The container has a life
 * of its own beside that: whatever happened, it ends with its removal.
 */
export class Execution {
  readonly logs = new LogBook();
  /** Settles once, and never rejects. */
  readonly ending: Promise<Ending>;
  /** What the engine measured; settles soon after the ending. */
  readonly usage: Promise<Usage>;
  /** Resolves when the container is gone, or when everything was tried to that end. Never rejects. */
  readonly removed: Promise<void>;

  readonly #plan: ExecutionPlan;
  readonly #name: string;
  readonly #resolveEnding: (ending: Ending) => void;
  readonly #resolveUsage: (usage: Usage | Promise<Usage>) => void;
  /** Aborted once settled: ends every wait that only served to settle. */
  readonly #settled = new AbortController();
  #containerId: string | undefined;
  #socket: Duplex | undefined;
  #timer: NodeJS.Timeout | undefined;
  /** The ending that waits for the last bytes of a container killed at its deadline. */
  #expired: Ending | undefined;
  /** Whether there may be something in the engine by now. */
  #created = false;
  /** Whether nobody knows what became of something that the engine was asked for. */
  #isUncertain = false;
  #removing: Promise<void> | undefined;
  #ready = false;
  #heapWasFull = false;
  #streamBroke = false;

  constructor(plan: ExecutionPlan) {
    this.#plan = plan;
    this.#name = `lurkbox-${plan.context.executionId}`;
    ({ promise: this.ending, resolve: this.#resolveEnding } = Promise.withResolvers<Ending>());
    ({ promise: this.usage, resolve: this.#resolveUsage } = Promise.withResolvers<Usage>());
    this.#watchCaller();
    this.removed = this.#live();
  }

  async #live(): Promise<void> {
    try {
      if (this.#isSettled()) return;
      const id = await this.#create();
      if (this.#isSettled()) return;
      const socket = await this.#attach(id);
      if (this.#isSettled()) return;
      await this.#start(id);
      // A plugin that says nothing would keep the reading, and with it the removal, waiting after the end.
      await Promise.race([this.#converse(socket), this.ending]);
      if (!this.#isSettled()) await this.#conclude(id);
    } catch (error) {
      const ending = endingOfError(error);
      this.#isUncertain ||= isWithoutAnswer(ending);
      this.#settle(this.#expired ?? ending);
    } finally {
      await this.#tearDown();
    }
  }

  async #create(): Promise<string> {
    const { engine, grant, image, stopwatch } = this.#plan;
    this.#created = true;
    if (grant.network === 'bridge') await engine.createNetwork(this.#name, this.#labels('network'));
    const made = { name: this.#name, image, labels: this.#labels('container') };
    const spec = buildContainerSpec({ grant, ...made });
    const { id } = await engine.createContainer(spec, { ...toAllowance(grant), ...made });
    this.#containerId = id;
    stopwatch.lap('createMs');
    return id;
  }

  /** Before the start: the engine keeps no copy of what was written before somebody listened. */
  async #attach(id: string): Promise<Duplex> {
    const socket = await this.#plan.engine.attachContainer(id);
    // The reading may be over by then; an error that nobody waits for must not end the process.
    socket.on('error', () => {});
    this.#socket = socket;
    return socket;
  }

  async #start(id: string): Promise<void> {
    await this.#plan.engine.startContainer(id);
    this.#plan.stopwatch.lap('startMs');
    if (this.#isSettled()) return;
    this.#limit(BOOT_DEADLINE_MS, () => this.#expire(`Node did not come up within ${BOOT_DEADLINE_MS} ms`));
  }

  async #converse(socket: Duplex): Promise<void> {
    try {
      for await (const heard of listen(socket, this.#plan.grant.outputBytes)) {
        // Read on after the end: a cancelled plugin may say something while it tidies up.
        if (!this.#isSettled()) this.#hear(heard);
      }
    } catch (error) {
      // Whether the engine or the container went away, the engine itself can tell.
      this.#plan.logger.debug({ err: error }, 'the attached stream broke');
      this.#streamBroke = true;
    }
  }

  #hear(heard: Heard): void {
    if (heard.kind === 'message') this.#hearMessage(heard.message);
    else if (heard.kind === 'fault') this.#settle(failed(heard.outcome, heard.reason));
    else if (heard.kind === 'cut') this.logs.cutStderr(heard.afterBytes);
    else this.#hearLine(heard.source, heard.text);
  }

  #hearLine(source: 'stdout' | 'stderr', text: string): void {
    if (source === 'stderr') this.#heapWasFull ||= tellsHeapIsFull(text);
    this.logs.add(source === 'stderr' ? 'warn' : 'info', source, text);
  }

  #hearMessage(message: RunnerMessage): void {
    if (message.kind === 'ready') this.#begin(message.protocol);
    else if (!this.#ready)
      this.#settle(failed('PROTOCOL_ERROR', `\`${message.kind}\` came before \`ready\``));
    else if (message.kind === 'log') this.logs.add(message.level, 'console', message.message);
    else if (message.kind === 'progress') this.#tellProgress(message.fraction, message.message ?? '');
    else if (message.kind === 'error') this.#settle(endingOfResponse(message));
    else this.#settle({ outcome: 'OK', result: message.result });
  }

  // A listener that throws cannot change the execution.
  #tellProgress(fraction: number, message: string): void {
    try {
      this.#plan.onProgress?.(fraction, message);
    } catch (error) {
      this.#plan.logger.warn({ err: error }, 'a progress listener threw');
    }
  }

  #begin(protocol: number): void {
    if (this.#expired !== undefined) return;
    if (this.#ready || protocol !== PROTOCOL_VERSION) {
      const detail = this.#ready ? '`ready` came twice' : `the runner speaks version ${protocol}`;
      this.#settle(failed('PROTOCOL_ERROR', detail));
      return;
    }
    this.#ready = true;
    const { context, entryPoint, grant, stopwatch } = this.#plan;
    stopwatch.lap('bootMs');
    const request = { entryPoint: `${IMAGE_PATHS.plugin}/${entryPoint}`, context };
    if (this.#socket !== undefined) void sendExecute(this.#socket, request, this.#settled.signal);
    this.#limit(grant.timeoutMs, () => this.#expire(`No answer within ${grant.timeoutMs / 1000} s`));
  }

  #limit(ms: number, onExpired: () => void): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(onExpired, ms);
  }

  /** The deadline: kill first, then read on to the end, so that an answer written in time still counts. */
  #expire(detail: string): void {
    const ending = failed('TIMEOUT', detail);
    this.#expired = ending;
    this.#drain(ending);
    this.#resolveUsage(this.#measure());
    void this.usage.then(() => this.#remove());
  }

  /** In slices: a host that stands still meanwhile comes to its timers first, and has yet to read what is there. */
  #drain(ending: Ending, slices: number = DRAIN_SLICES): void {
    const next = (): void => (slices > 1 ? this.#drain(ending, slices - 1) : this.#settle(ending));
    this.#limit(DRAIN_MS / DRAIN_SLICES, next);
  }

  /** The stream has ended without an answer: why did the container? */
  async #conclude(id: string): Promise<void> {
    const { engine, grant } = this.#plan;
    if (this.#expired !== undefined) return this.#settle(this.#expired);
    try {
      // A plugin may close its output and run on; the deadline of the execution ends that, not one of this call. What
      // runs on when the stream broke can never answer.
      await engine.waitContainer(id, {
        signal: this.#settled.signal,
        deadlineMs: this.#streamBroke ? UNHEARD_MS : BOOT_DEADLINE_MS + grant.timeoutMs,
      });
      const exit = await engine.containerExit(id);
      this.#settle(
        this.#expired ??
          endingOfExit(exit, grant.memoryBytes, {
            heapWasFull: this.#heapWasFull,
            streamBroke: this.#streamBroke,
          }),
      );
    } catch (error) {
      this.#settle(this.#expired ?? this.#toLost(endingOfError(error)));
    }
  }

  /** An engine that answered before and does not any more was lost, not unavailable. */
  #toLost(ending: Ending): Ending {
    if (ending.outcome === 'ENGINE_UNAVAILABLE')
      return failed('ENGINE_LOST', ending.error.message.replace(/\.$/, ''));
    return ending.outcome === 'ENGINE_TIMEOUT' && this.#streamBroke ? lost() : ending;
  }

  #watchCaller(): void {
    const { signal } = this.#plan;
    const cancel = (): void => this.#settle(failed('CANCELLED', ''));
    if (signal?.aborted) cancel();
    else signal?.addEventListener('abort', cancel, { once: true, signal: this.#settled.signal });
  }

  #isSettled(): boolean {
    return this.#settled.signal.aborted;
  }

  #settle(ending: Ending): void {
    if (this.#isSettled()) return;
    this.#isUncertain ||= isWithoutAnswer(ending);
    clearTimeout(this.#timer);
    this.#plan.stopwatch.lap(this.#phase());
    this.#settled.abort();
    this.#resolveUsage(this.#measure());
    this.#resolveEnding(ending);
  }

  #phase(): 'createMs' | 'startMs' | 'bootMs' | 'runMs' {
    if (this.#ready) return 'runMs';
    const { stopwatch } = this.#plan;
    if (stopwatch.has('startMs')) return 'bootMs';
    return stopwatch.has('createMs') ? 'startMs' : 'createMs';
  }

  /** The engine forgets what a container used when the container ends, so it is asked before. */
  async #measure(): Promise<Usage> {
    if (this.#containerId === undefined || !this.#plan.stopwatch.has('startMs')) return UNKNOWN_USAGE;
    return this.#plan.engine.containerUsage(this.#containerId).catch(() => UNKNOWN_USAGE);
  }

  async #tearDown(): Promise<void> {
    await this.usage;
    await this.#sayCancel();
    await this.#remove();
    this.#socket?.destroy();
    this.#plan.stopwatch.lap('teardownMs');
  }

  async #sayCancel(): Promise<void> {
    if (!this.#plan.signal?.aborted || !this.#ready || !this.#socket?.writable) return;
    this.#socket.write(CANCEL_RECORD);
    await delay(CANCEL_GRACE_MS);
  }

  async #remove(): Promise<void> {
    const { engine, grant, logger, onSuspicion } = this.#plan;
    if (!this.#created) return;
    this.#removing ??= removeSandbox({
      engine,
      container: this.#containerId ?? this.#name,
      network: grant.network === 'bridge' ? this.#name : null,
      logger,
    }).then((isGone) => {
      if (!isGone || this.#isUncertain) onSuspicion();
    });
    return this.#removing;
  }

  #labels(kind: 'container' | 'network'): Record<string, string> {
    const { ownerLabels, grant, version, context } = this.#plan;
    return {
      ...ownerLabels,
      [LABELS.kind]: kind,
      [LABELS.execution]: context.executionId,
      [LABELS.plugin]: grant.plugin,
      [LABELS.version]: version,
    };
  }
}

/** The engine may have done all the same what it was asked, or forget what it did: one that stops brings networks back. */
function isWithoutAnswer({ outcome }: Ending): boolean {
  return outcome === 'ENGINE_TIMEOUT' || outcome === 'ENGINE_LOST';
}
