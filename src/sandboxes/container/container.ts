import { setTimeout as delay } from 'node:timers/promises';
import {
  type Ending,
  endingOfError,
  endingOfExit,
  failed,
  lost,
  tellsHeapIsFull,
} from '../../calls/ending.ts';
import { CANCEL_RECORD, LOADED_BYTES, sendExecute, toLoadRecord } from '../../calls/request.ts';
import { UNKNOWN_USAGE, type Usage } from '../../calls/result.ts';
import type { Surplus } from '../../calls/surplus.ts';
import type { ContainerEngine, ContainerStreams } from '../../engine/engine.ts';
import { keepsInodes } from '../../engine/shared-files.ts';
import { LABELS } from '../../labels.ts';
import type { Logger } from '../../logger.ts';
import type { Grant } from '../../policy/grant.ts';
import { MountFolders } from '../../policy/mount-folder.ts';
import { EXECUTE_ID, type PluginExecutionContext, PROTOCOL_VERSION } from '../../protocol/messages.ts';
import type { RunnerMessage } from '../../protocol/runner-message.ts';
import { toAllowance } from '../../spec/allowance.ts';
import { buildContainerSpec, IMAGE_PATHS } from '../../spec/build.ts';
import { removeSandbox } from '../cleanup/removal.ts';
import { listen, OutputBudget, type OutputItem } from './output-reader.ts';

/** Node in a container is up within a second; a host that needs this long is not going to make it. */
export const BOOT_DEADLINE_MS = 30_000;
/** How long a container may take to end after its stream broke; the end of its input makes the runner leave. */
const UNHEARD_MS = 5_000;
/** How long the engine may take to tell that a container has ended whose streams have. */
const EXIT_MS = 1_000;

export interface ContainerPlan {
  readonly engine: ContainerEngine;
  readonly grant: Grant;
  /** Image id. */
  readonly image: string;
  readonly entryPoint: string;
  readonly version: string;
  /** The id of its execution, or one of its own where it is started ahead. Names the container that is made for it. */
  readonly id: string;
  /** Who makes the container, as labels. */
  readonly ownerLabels: Readonly<Record<string, string>>;
  readonly logger: Logger;
  /** Told when something of it may be in the engine after `removed`, or may still come. */
  readonly onSuspicion: () => void;
}

export type StartPhase = 'createMs' | 'startMs' | 'bootMs';

/** Who uses a container at the time, and is told what comes out of it. */
export interface ContainerUser {
  /** Whether nobody waits for an answer of it: then it is over with its output. */
  readonly isIdle: boolean;
  /** A phase of the start is over; after `bootMs` it takes a request. */
  onPhase(phase: StartPhase): void;
  onMessage(message: Exclude<RunnerMessage, { kind: 'ready' }>): void;
  onLine(source: 'stdout' | 'stderr', text: string, cutBytes: number): void;
  /** One of more log lines than are kept one by one. */
  onSurplus(surplus: Surplus): void;
  /** All that was printed to stderr by the execution of that id has been heard. */
  onOutputEnd(id: number): void;
  /** Nothing more will come of it, and why. */
  onEnd(ending: Ending): void;
}

/**
 * One container, from its creation until it is gone. It tells its user what happens, and decides nothing: how an execution
 * in it ends is up to `Execution`. Whatever happened, it ends with its removal.
 */
export class Container {
  /** Resolves when the container is gone, or when everything was tried to that end. Never rejects. */
  readonly removed: Promise<void>;

  readonly #plan: ContainerPlan;
  readonly #name: string;
  readonly #room: OutputBudget;
  /** Aborted when its user is done with it: ends every wait that only served to hear more. */
  readonly #closing = new AbortController();
  readonly #closed = Promise.withResolvers<void>();
  #user: ContainerUser;
  #containerId: string | undefined;
  /** From before the engine is asked for anything until what is bound was compared with them, where that can be done. */
  #folders: MountFolders | undefined;
  #streams: ContainerStreams | undefined;
  /** Whether there may be something in the engine by now. */
  #created = false;
  #started = false;
  #ready = false;
  /** Whether code of the plugin may have run. */
  #hasRun = false;
  #ending: Ending | null = null;
  /** Whether nobody knows what became of something that the engine was asked for. */
  #isUncertain = false;
  #removing: Promise<void> | undefined;
  #hungUp = false;
  #heapWasFull = false;
  #streamBroke = false;
  /** Whether its stream is over. */
  #isSilent = false;
  readonly #silence = Promise.withResolvers<void>();
  #nextId = EXECUTE_ID;

  /** Begins at once. */
  constructor(plan: ContainerPlan, user: ContainerUser) {
    this.#plan = plan;
    this.#name = `lurkbox-${plan.id}`;
    this.#user = user;
    this.#room = new OutputBudget(plan.grant.outputBytes);
    // In the next turn: whoever makes it has to know it before it tells anything.
    this.removed = Promise.resolve().then(() => this.#live());
  }

  get id(): string {
    return this.#plan.id;
  }

  get containerId(): string | undefined {
    return this.#containerId;
  }

  get isStarted(): boolean {
    return this.#started;
  }

  get isReady(): boolean {
    return this.#ready;
  }

  /** Whether it is connected and nobody is done with it: what is told next may still be heard. */
  get isAlive(): boolean {
    return this.#ending === null && !this.#isClosing() && !this.#isSilent && (this.#streams?.isOpen ?? true);
  }

  /** From now on this user is told; answers how it has ended, where that was told already. */
  handTo(user: ContainerUser): Ending | null {
    this.#user = user;
    this.#streams?.keepProcess(true);
    return this.#ending;
  }

  /** Nobody waits for anything of it: it does not keep this process from ending, and ends with it. */
  rest(): void {
    this.#room.rest();
    this.#streams?.keepProcess(false);
  }

  /** The call that ran in it is answered, with all that was printed: from now on nobody waits for much of its output. */
  answered(): void {
    this.#room.rest();
  }

  load(): void {
    this.#hasRun = true;
    this.#room.rest();
    this.#room.spare(LOADED_BYTES);
    this.#streams?.stdin.write(toLoadRecord({ entryPoint: this.#entryPoint }));
  }

  /** Hands over a context; answers the id of the request, which its response carries. */
  execute(context: PluginExecutionContext, signal: AbortSignal): number {
    const id = this.#nextId++;
    this.#hasRun = true;
    // What comes now is of another execution, and has the room that each of them has.
    if (id > EXECUTE_ID) this.#room.empty();
    else this.#room.open();
    if (this.#streams !== undefined)
      void sendExecute(
        this.#streams.stdin,
        { id, entryPoint: this.#entryPoint, maxResultBytes: this.#room.maxResultBytes, context },
        signal,
      );
    return id;
  }

  /**
   * Ends its input, so that the runner leaves by itself, and waits for that for so many milliseconds. Removing an exited
   * container saves about 10 % of a call's CPU time in the engine over killing it.
   */
  async hangUp(patienceMs: number): Promise<void> {
    if (!this.isAlive) return;
    this.#hungUp = true;
    this.#streams?.stdin.end();
    await Promise.race([this.#silence.promise, delay(patienceMs, undefined, { ref: false })]);
  }

  /** Answers whether anybody could hear it. */
  cancel(): boolean {
    const stdin = this.#streams?.stdin;
    if (!this.#ready || !stdin?.isWritable) return false;
    stdin.write(CANCEL_RECORD);
    return true;
  }

  /** The engine forgets what a container used when the container ends, so it is asked before. */
  async measure(): Promise<Usage> {
    if (this.#containerId === undefined || !this.#started) return UNKNOWN_USAGE;
    return this.#plan.engine.containerUsage(this.#containerId).catch(() => UNKNOWN_USAGE);
  }

  /** Kills and removes the container, and goes on hearing what it wrote before. */
  kill(): void {
    void this.#remove();
  }

  /** Nobody listens any more: removes everything as soon as the engine has answered what it was asked. */
  close(): Promise<void> {
    this.#closing.abort();
    this.#closed.resolve();
    return this.removed;
  }

  /** Ends every wait for more, and removes nothing yet. */
  stopWaiting(): void {
    this.#closing.abort();
  }

  get #entryPoint(): string {
    return `${IMAGE_PATHS.plugin}/${this.#plan.entryPoint}`;
  }

  async #live(): Promise<void> {
    try {
      if (this.#isClosing()) return;
      await this.#checkMounts();
      if (this.#isClosing()) return;
      const id = await this.#create();
      if (this.#isClosing()) return;
      const { output } = await this.#attach(id);
      if (this.#isClosing()) return;
      await this.#start(id);
      // A plugin that says nothing would keep the reading, and with it the removal, waiting after the end.
      await Promise.race([this.#converse(output), aborted(this.#closing.signal)]);
      if (!this.#isClosing() && !this.#hungUp) this.#end(await this.#conclude(id));
    } catch (error) {
      this.#end(endingOfError(error));
    } finally {
      this.#folders?.[Symbol.dispose]();
      await this.#closed.promise;
      await this.#remove();
      this.#streams?.close();
    }
  }

  async #checkMounts(): Promise<void> {
    const { engine, grant } = this.#plan;
    if (grant.mounts.length === 0) return;
    const folders = await MountFolders.open(grant.mounts, grant.uids);
    if (await keepsInodes(engine, grant.runtime).catch(() => true)) this.#folders = folders;
    else folders[Symbol.dispose]();
  }

  async #create(): Promise<string> {
    this.#created = true;
    const { engine, grant, image } = this.#plan;
    if (grant.network === 'bridge') await engine.createNetwork(this.#name, this.#labels('network'));
    const made = { name: this.#name, image, labels: this.#labels('container') };
    const spec = buildContainerSpec({ grant, ...made });
    const { id } = await engine.createContainer(spec, { ...toAllowance(grant), ...made });
    this.#containerId = id;
    this.#user.onPhase('createMs');
    return id;
  }

  async #attach(id: string): Promise<ContainerStreams> {
    this.#streams = await this.#plan.engine.attachContainer(id);
    return this.#streams;
  }

  async #start(id: string): Promise<void> {
    await this.#plan.engine.startContainer(id);
    this.#started = true;
    this.#user.onPhase('startMs');
  }

  async #converse(output: ContainerStreams['output']): Promise<void> {
    try {
      // Read on after the end: a cancelled plugin may say something while it tidies up.
      for await (const heard of listen(output, this.#room)) {
        if (!this.#isClosing()) this.#hear(heard);
      }
    } catch (error) {
      // Whether the engine or the container went away, the engine itself can tell.
      this.#plan.logger.debug({ err: error }, 'the attached stream broke');
      this.#streamBroke = true;
    }
    this.#isSilent = true;
    this.#silence.resolve();
  }

  #hear(heard: OutputItem): void {
    if (heard.kind === 'message') this.#hearMessage(heard.message);
    else if (heard.kind === 'fault') this.#end(failed(heard.outcome, heard.reason));
    else if (heard.kind === 'outputEnd') this.#user.onOutputEnd(heard.id);
    else if (heard.kind === 'surplus') {
      if (heard.source === 'stderr') this.#heapWasFull ||= tellsHeapIsFull(heard.bytes.toString('latin1'));
      this.#user.onSurplus(heard);
    } else {
      if (heard.source === 'stderr') this.#heapWasFull ||= tellsHeapIsFull(heard.text);
      this.#user.onLine(heard.source, heard.text, heard.cutBytes);
    }
  }

  #hearMessage(message: RunnerMessage): void {
    if (message.kind === 'ready') this.#begin(message.protocol, message.mounts ?? {});
    else if (!this.#ready) this.#end(failed('PROTOCOL_ERROR', `\`${message.kind}\` came before \`ready\``));
    else {
      if (this.#user.isIdle && (message.kind === 'result' || message.kind === 'error')) this.#room.rest();
      this.#user.onMessage(message);
    }
  }

  #begin(protocol: number, bound: Readonly<Record<string, string>>): void {
    if (this.#ready || protocol !== PROTOCOL_VERSION) {
      const detail = this.#ready ? '`ready` came twice' : `the runner speaks version ${protocol}`;
      this.#end(failed('PROTOCOL_ERROR', detail));
      return;
    }
    try {
      // No code of the plugin has run yet: it is the runner that says so.
      this.#folders?.assertBound(bound);
    } catch (error) {
      this.#end(endingOfError(error));
      return;
    }
    this.#folders?.[Symbol.dispose]();
    this.#ready = true;
    this.#user.onPhase('bootMs');
  }

  /** The stream has ended: why did the container? */
  async #conclude(id: string): Promise<Ending> {
    const { engine, grant } = this.#plan;
    try {
      await engine.waitContainer(id, {
        signal: this.#closing.signal,
        deadlineMs: this.#endDeadlineMs(),
      });
      const exit = await engine.containerExit(id, { isInDoubt: this.#streamBroke });
      return endingOfExit(exit, grant.memoryBytes, {
        heapWasFull: this.#heapWasFull,
        wasCut: this.#wasCut(),
        hasRun: this.#hasRun,
      });
    } catch (error) {
      return this.#toLost(endingOfError(error));
    }
  }

  /**
   * A plugin may close its output and run on; the deadline of the execution ends that, not one of this call. What runs on
   * when the stream broke can never answer, and what nobody calls serves nobody any more.
   */
  #endDeadlineMs(): number {
    if (this.#user.isIdle) return EXIT_MS;
    return this.#streamBroke ? UNHEARD_MS : BOOT_DEADLINE_MS + this.#plan.grant.timeoutMs;
  }

  /** Whether the stream broke in a way that the plugin cannot bring about by leaving its input unread. */
  #wasCut(): boolean {
    if (!this.#streamBroke) return false;
    return !this.#hasRun || !this.#streams?.mayContainerBreak;
  }

  /** An engine that answered before and does not any more was lost, not unavailable. */
  #toLost(ending: Ending): Ending {
    if (ending.outcome === 'ENGINE_UNAVAILABLE')
      return failed('ENGINE_LOST', ending.error.message.replace(/\.$/, ''));
    if (ending.outcome !== 'ENGINE_TIMEOUT') return ending;
    if (this.#wasCut()) return lost();
    if (!this.#streamBroke && !this.#user.isIdle) return ending;
    // Somebody may have restarted it; a plugin can close its output at any time.
    return failed(
      this.#hasRun ? 'PLUGIN_CRASHED' : 'ENGINE_LOST',
      'The output of the container is over and it runs on: the plugin closed it, or somebody restarted the container',
    );
  }

  #end(ending: Ending): void {
    this.#isUncertain ||= isWithoutAnswer(ending);
    if (this.#ending !== null) return;
    this.#ending = ending;
    this.#user.onEnd(ending);
  }

  #isClosing(): boolean {
    return this.#closing.signal.aborted;
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
    const { ownerLabels, grant, version, id } = this.#plan;
    return {
      ...ownerLabels,
      [LABELS.kind]: kind,
      [LABELS.execution]: id,
      [LABELS.plugin]: grant.plugin,
      [LABELS.version]: version,
    };
  }
}

/** The engine may have done all the same what it was asked, or forget what it did: one that stops brings networks back. */
function isWithoutAnswer({ outcome }: Ending): boolean {
  return outcome === 'ENGINE_TIMEOUT' || outcome === 'ENGINE_LOST';
}

function aborted(signal: AbortSignal): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  if (signal.aborted) resolve();
  else signal.addEventListener('abort', () => resolve(), { once: true });
  return promise;
}
