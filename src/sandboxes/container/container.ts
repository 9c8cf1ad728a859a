import { setTimeout as delay } from 'node:timers/promises';
import { type Ending, endingOfError, failed, tellsHeapIsFull } from '../../calls/ending.ts';
import { CANCEL_RECORD, LOADED_BYTES, toExecuteRecord, toLoadRecord } from '../../calls/request.ts';
import { UNKNOWN_USAGE, type Usage } from '../../calls/result.ts';
import type { ContainerStreams } from '../../engine/engine.ts';
import type { MountFolders } from '../../policy/mount-folder.ts';
import { EXECUTE_ID, type PluginExecutionContext, PROTOCOL_VERSION } from '../../protocol/messages.ts';
import type { RunnerMessage } from '../../protocol/runner-message.ts';
import { IMAGE_PATHS } from '../../spec/build.ts';
import { ContainerRemoval } from '../cleanup/removal.ts';
import { type ContainerChannel, openChannel } from './container-channel.ts';
import { findEnding, isWithoutAnswer } from './container-end.ts';
import {
  type ContainerPlan,
  type ContainerUser,
  createContainer,
  openMounts,
  type StartPhase,
} from './container-plan.ts';
import { type ContainerEvent, type ContainerState, isAlive, isOver, nextState } from './container-state.ts';
import { listen, OutputBudget, type OutputItem } from './output-reader.ts';

/** Made once: nobody reads it, and an error of its own for each container would be made with its stack. */
const STOPPED = new Error('Nobody waits for the container any more');

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
  readonly #removal: ContainerRemoval;
  #state: ContainerState = 'preparing';
  #lastAlive: ContainerState = 'preparing';
  #user: ContainerUser;
  #containerId: string | undefined;
  #phase: StartPhase | 'runMs' = 'createMs';
  /** From before the engine is asked for anything until what is bound was compared with them, where that can be done. */
  #folders: MountFolders | undefined;
  #streams: ContainerStreams | undefined;
  #channel: ContainerChannel | undefined;
  /** How it has ended, where that was told. */
  #ending: Ending | null = null;
  /** Of what a container shows before its end. */
  readonly #seen = { heapWasFull: false, streamBroke: false, hasRun: false };
  /** Ends every wait that only served to hear more. */
  readonly #stopping = new AbortController();
  readonly #stopped = Promise.withResolvers<void>();
  readonly #silence = Promise.withResolvers<void>();
  /** Its removal may begin. */
  readonly #released = Promise.withResolvers<void>();
  #nextId = EXECUTE_ID;
  #firstCallAt = 0;

  /** Begins at once. */
  constructor(plan: ContainerPlan, user: ContainerUser) {
    this.#plan = plan;
    this.#name = `lurkbox-${plan.id}`;
    this.#user = user;
    this.#room = new OutputBudget(plan.grant.outputBytes);
    this.#removal = new ContainerRemoval({
      ...plan,
      name: this.#name,
      hasNetwork: plan.grant.network === 'bridge',
    });
    // In the next turn: whoever makes it has to know it before it tells anything.
    this.removed = Promise.resolve().then(() => this.#live());
  }

  get id(): string {
    return this.#plan.id;
  }

  get containerId(): string | undefined {
    return this.#containerId;
  }

  get state(): ContainerState {
    return this.#state;
  }

  /** Where it was when it was alive last. */
  get lastAlive(): ContainerState {
    return this.#lastAlive;
  }

  /** The phase that is going on; `runMs` once Node is up. */
  get phase(): StartPhase | 'runMs' {
    return this.#phase;
  }

  /** Whether it may serve, and is connected: what is told next may still be heard. */
  get isAlive(): boolean {
    return isAlive(this.#state) && (this.#streams?.isOpen ?? true);
  }

  /** Whether it takes a call now. */
  get isIdle(): boolean {
    return this.#state === 'idle' && this.isAlive;
  }

  /** How many calls it has been given, and when the first was. */
  get served(): { readonly calls: number; readonly since: number } {
    return { calls: this.#nextId - EXECUTE_ID, since: this.#firstCallAt };
  }

  /** From now on this user is told; answers how it has ended, where that was told already. */
  handTo(user: ContainerUser): Ending | null {
    this.#user = user;
    this.#streams?.keepProcess(true);
    return this.#ending;
  }

  /** It belongs to a call that will begin in it, or give it back. */
  acquire(): void {
    this.#advance('acquire');
  }

  /** Nobody waits for anything of it: it does not keep this process from ending, and ends with it. */
  rest(why: 'ready' | 'loaded' | 'giveBack' | 'reuse'): void {
    this.#advance(why);
    this.#room.rest();
    this.#streams?.keepProcess(false);
  }

  /** The call that ran in it is answered, with all that was printed: from now on nobody waits for much of its output. */
  answered(): void {
    this.#advance('answer');
    this.#room.rest();
  }

  load(): void {
    this.#advance('load');
    this.#seen.hasRun = true;
    this.#room.rest();
    this.#room.spare(LOADED_BYTES);
    void this.#channel?.writer.write(toLoadRecord({ entryPoint: this.#entryPoint }));
  }

  /** Hands over a context; answers the id of the request, which its response carries. */
  execute(context: PluginExecutionContext, signal: AbortSignal): number {
    this.#advance('execute');
    const id = this.#nextId++;
    this.#seen.hasRun = true;
    // What comes now is of another execution, and has the room that each of them has.
    if (id > EXECUTE_ID) this.#room.empty();
    else {
      this.#firstCallAt = performance.now();
      this.#room.open();
    }
    const { maxResultBytes } = this.#room;
    const record = toExecuteRecord({ id, entryPoint: this.#entryPoint, maxResultBytes, context });
    void this.#channel?.writer.write(record, signal);
    return id;
  }

  /**
   * Ends its input, so that the runner leaves by itself, and waits for that for so many milliseconds. Removing an exited
   * container saves about 10 % of a call's CPU time in the engine over killing it.
   */
  async hangUp(patienceMs: number): Promise<void> {
    if (!this.isAlive || !this.#advance('hangUp')) return;
    this.#channel?.writer.end();
    await Promise.race([this.#silence.promise, delay(patienceMs, undefined, { ref: false })]);
  }

  /** Answers whether anybody could hear it. */
  cancel(): boolean {
    const writer = this.#channel?.writer;
    if (this.#phase !== 'runMs' || !writer?.isOpen) return false;
    void writer.write(CANCEL_RECORD);
    return true;
  }

  /** The engine forgets what a container used when the container ends, so it is asked before. */
  async measure(): Promise<Usage> {
    const isStarted = this.#phase === 'bootMs' || this.#phase === 'runMs';
    if (this.#containerId === undefined || !isStarted) return UNKNOWN_USAGE;
    return this.#plan.engine.containerUsage(this.#containerId).catch(() => UNKNOWN_USAGE);
  }

  /** Kills and removes the container, and goes on hearing what it wrote before. */
  kill(): void {
    this.#advance('kill');
    this.#channel?.server.close();
    void this.#removal.begin();
  }

  /** Nothing more will come of it, and this is why; the first one to say so is told to its user. */
  end(ending: Ending): void {
    this.#removal.isUncertain ||= isWithoutAnswer(ending);
    if (!this.#advance('end')) return;
    this.#ending = ending;
    this.#user.onEnd(ending);
  }

  /** Ends every wait for more, and removes nothing yet. */
  stopWaiting(): void {
    this.#advance('end');
    this.#channel?.server.close();
    this.#stopping.abort(STOPPED);
    this.#stopped.resolve();
  }

  /** Nobody listens any more: removes everything as soon as the engine has answered what it was asked. */
  close(): Promise<void> {
    this.stopWaiting();
    this.#released.resolve();
    return this.removed;
  }

  get #entryPoint(): string {
    return `${IMAGE_PATHS.plugin}/${this.#plan.entryPoint}`;
  }

  /** Answers whether the event meant anything. */
  #advance(event: ContainerEvent): boolean {
    const next = nextState(this.#state, event);
    if (next === null) return false;
    this.#state = next;
    if (isAlive(next)) this.#lastAlive = next;
    return true;
  }

  async #live(): Promise<void> {
    try {
      const output = await this.#bringUp();
      // A plugin that says nothing would keep the reading, and with it the removal, waiting after the end.
      if (output !== null) await Promise.race([this.#converse(output), this.#stopped.promise]);
      if (this.#advance('outputOver') && this.#state === 'silent') this.end(await this.#findEnding());
    } catch (error) {
      this.end(endingOfError(error));
    } finally {
      this.#folders?.[Symbol.dispose]();
      await this.#released.promise;
      this.#advance('remove');
      await this.#removal.begin();
      this.#streams?.close();
      this.#advance('removed');
    }
  }

  /** `null` where nobody waits for it any more: then nothing further is asked of the engine. */
  async #bringUp(): Promise<ContainerStreams['output'] | null> {
    const { engine } = this.#plan;
    if (isOver(this.#state)) return null;
    this.#folders = await openMounts(this.#plan);
    if (!this.#advance('prepared')) return null;
    this.#removal.reference = this.#name;
    const id = await createContainer(this.#plan, this.#name);
    this.#containerId = id;
    this.#removal.reference = id;
    if (!this.#advance('created')) return null;
    this.#endPhase('startMs');
    // Before the start: an engine keeps no copy of what was written before somebody was attached.
    this.#streams = await engine.attachContainer(id);
    this.#channel = openChannel(this.#streams.stdin, this.#plan.logger);
    if (!this.#advance('attached')) return null;
    await engine.startContainer(id);
    this.#advance('started');
    this.#endPhase('bootMs');
    return this.#streams.output;
  }

  #endPhase(next: 'startMs' | 'bootMs' | 'runMs'): void {
    const over = this.#phase as StartPhase;
    this.#phase = next;
    this.#user.onPhase(over);
  }

  async #converse(output: ContainerStreams['output']): Promise<void> {
    try {
      // Read on after the end: a cancelled plugin may say something while it tidies up.
      for await (const heard of listen(output, this.#room)) {
        if (isOver(this.#state)) continue;
        if (heard.kind !== 'request') this.#hear(heard);
        else await this.#serve(heard);
      }
    } catch (error) {
      // Whether the engine or the container went away, the engine itself can tell.
      this.#plan.logger.debug({ err: error }, 'the attached stream broke');
      this.#seen.streamBroke = true;
    }
    this.#silence.resolve();
  }

  /** Resolves when more of the container may be read: one that reads no responses is not read itself. */
  async #serve({ request, bytes }: Extract<OutputItem, { kind: 'request' }>): Promise<void> {
    if (this.#phase === 'runMs') await this.#channel?.server.take(request, bytes, this.#user.requestSignal);
    else this.end(failed('PROTOCOL_ERROR', 'a request came before `ready`'));
  }

  #hear(heard: Exclude<OutputItem, { kind: 'request' }>): void {
    if (heard.kind === 'message') this.#hearMessage(heard.message);
    else if (heard.kind === 'fault') this.end(failed(heard.outcome, heard.reason));
    else if (heard.kind === 'outputEnd') this.#user.onOutputEnd(heard.id);
    else if (heard.kind === 'surplus') {
      if (heard.source === 'stderr')
        this.#seen.heapWasFull ||= tellsHeapIsFull(heard.bytes.toString('latin1'));
      this.#user.onSurplus(heard);
    } else {
      if (heard.source === 'stderr') this.#seen.heapWasFull ||= tellsHeapIsFull(heard.text);
      this.#user.onLine(heard.source, heard.text, heard.cutBytes);
    }
  }

  #hearMessage(message: RunnerMessage): void {
    if (message.kind === 'ready') this.#hearReady(message.protocol, message.mounts ?? {});
    else if (this.#phase !== 'runMs')
      this.end(failed('PROTOCOL_ERROR', `\`${message.kind}\` came before \`ready\``));
    else {
      if (this.#user.isIdle && (message.kind === 'result' || message.kind === 'error')) this.#room.rest();
      this.#user.onMessage(message);
    }
  }

  #hearReady(protocol: number, bound: Readonly<Record<string, string>>): void {
    const cameTwice = this.#phase === 'runMs';
    if (cameTwice || protocol !== PROTOCOL_VERSION) {
      const detail = cameTwice ? '`ready` came twice' : `the runner speaks version ${protocol}`;
      this.end(failed('PROTOCOL_ERROR', detail));
      return;
    }
    try {
      // No code of the plugin has run yet: it is the runner that says so.
      this.#folders?.assertBound(bound);
    } catch (error) {
      this.end(endingOfError(error));
      return;
    }
    this.#folders?.[Symbol.dispose]();
    this.#advance('ready');
    this.#endPhase('runMs');
  }

  #findEnding(): Promise<Ending> {
    const { streamBroke, hasRun } = this.#seen;
    const wasCut = streamBroke && !(hasRun && (this.#streams?.mayContainerBreak ?? false));
    const seen = { ...this.#seen, wasCut, isIdle: () => this.#user.isIdle };
    return findEnding(this.#containerId as string, this.#plan, { seen, signal: this.#stopping.signal });
  }
}
