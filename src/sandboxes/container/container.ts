import { setTimeout as delay } from 'node:timers/promises';
import { type Ending, endingOfError } from '../../calls/ending.ts';
import { CANCEL_RECORD, LOADED_BYTES, toExecuteRecord, toLoadRecord } from '../../calls/request.ts';
import { UNKNOWN_USAGE, type Usage } from '../../calls/result.ts';
import type { ContainerStreams } from '../../engine/engine.ts';
import type { MountFolders } from '../../policy/mount-folder.ts';
import { EXECUTE_ID, type PluginExecutionContext } from '../../protocol/messages.ts';
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
import { ContainerReader, type ReaderOwner } from './container-reader.ts';
import { type ContainerEvent, type ContainerState, isAlive, isOver, nextState } from './container-state.ts';
import { OutputBudget } from './output-reader.ts';

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
  readonly #budget: OutputBudget;
  readonly #reader: ContainerReader;
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
  /** Whether code of the plugin may have run. */
  #hasRun = false;
  /** Ends every wait that only served to hear more. */
  readonly #stopping = new AbortController();
  readonly #stopped = Promise.withResolvers<void>();
  readonly #silence = Promise.withResolvers<void>();
  readonly #mayRemove = Promise.withResolvers<void>();
  #nextId = EXECUTE_ID;
  #firstCallAt = 0;

  constructor(plan: ContainerPlan, user: ContainerUser) {
    this.#plan = plan;
    this.#user = user;
    this.#name = `lurkbox-${plan.id}`;
    this.#budget = new OutputBudget(plan.grant.outputBytes);
    const owner: ReaderOwner = {
      isOver: () => isOver(this.#state),
      isUp: () => this.#phase === 'runMs',
      user: () => this.#user,
      serve: ({ request, bytes }) => this.#channel?.server.take(request, bytes, this.#user.requestSignal),
      onReady: (bound) => this.#becomeReady(bound),
      end: (ending) => this.end(ending),
    };
    this.#reader = new ContainerReader(this.#budget, owner, plan.logger);
    this.#removal = new ContainerRemoval(plan, this.#name);
    // It begins in the next turn: whoever makes it has to know it before it tells anything.
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
    this.#budget.rest();
    this.#streams?.keepProcess(false);
  }

  /** The call that ran in it is answered, with all that was printed: from now on nobody waits for much of its output. */
  answered(): void {
    this.#advance('answer');
    this.#budget.rest();
  }

  load(): void {
    this.#advance('load');
    this.#hasRun = true;
    this.#budget.rest();
    this.#budget.spare(LOADED_BYTES);
    void this.#channel?.writer.write(toLoadRecord({ entryPoint: this.#entryPoint }));
  }

  /** Hands over a context; answers the id of the request, which its response carries. */
  execute(context: PluginExecutionContext, signal: AbortSignal): number {
    this.#advance('execute');
    const id = this.#nextId++;
    this.#hasRun = true;
    // What comes now belongs to another execution, which has a budget of its own.
    if (id > EXECUTE_ID) this.#budget.empty();
    else {
      this.#firstCallAt = performance.now();
      this.#budget.open();
    }
    const params = { entryPoint: this.#entryPoint, maxResultBytes: this.#budget.maxResultBytes, context };
    void this.#channel?.writer.write(toExecuteRecord({ id, ...params }), signal);
    return id;
  }

  /**
   * Ends its input, so that the runner leaves by itself, and waits `patienceMs` for that. Removing an exited container
   * saves about 10 % of a call's CPU time in the engine over killing it.
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
    const isStarting = this.#phase === 'createMs' || this.#phase === 'startMs';
    if (this.#containerId === undefined || isStarting) return UNKNOWN_USAGE;
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
    this.#mayRemove.resolve();
    return this.removed;
  }

  get #entryPoint(): string {
    return `${IMAGE_PATHS.plugin}/${this.#plan.entryPoint}`;
  }

  /** Answers whether the event meant anything. */
  #advance(event: ContainerEvent): boolean {
    const next = nextState(this.#state, event);
    if (next === null) return false;
    if (isAlive(next)) this.#lastAlive = next;
    this.#state = next;
    return true;
  }

  async #live(): Promise<void> {
    try {
      const output = await this.#bringUp();
      // A plugin that says nothing would keep the reading, and with it the removal, waiting after the end.
      if (output !== null) await Promise.race([this.#reader.read(output), this.#stopped.promise]);
      this.#silence.resolve();
      if (this.#advance('outputOver') && this.#state === 'silent') this.end(await this.#findEnding());
    } catch (error) {
      this.end(endingOfError(error));
    } finally {
      this.#folders?.[Symbol.dispose]();
      await this.#mayRemove.promise;
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

  #becomeReady(bound: Readonly<Record<string, string>>): void {
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
    const [{ heapWasFull, streamBroke }, hasRun] = [this.#reader, this.#hasRun];
    const wasCut = streamBroke && !(hasRun && (this.#streams?.mayContainerBreak ?? false));
    const seen = { heapWasFull, streamBroke, hasRun, wasCut, isIdle: () => this.#user.isIdle };
    return findEnding(this.#containerId as string, this.#plan, { seen, signal: this.#stopping.signal });
  }
}
