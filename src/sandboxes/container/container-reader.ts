import { type Ending, failed, tellsHeapIsFull } from '../../calls/ending.ts';
import type { ContainerStreams } from '../../engine/engine.ts';
import type { Logger } from '../../logger.ts';
import { PROTOCOL_VERSION } from '../../protocol/messages.ts';
import type { RunnerMessage } from '../../protocol/runner-message.ts';
import type { ContainerUser } from './container-plan.ts';
import { listen, type OutputBudget, type OutputItem } from './output-reader.ts';

/** The container, as what it writes is told to it. */
export interface ReaderOwner {
  /** Nothing more is heard of it. */
  readonly isOver: () => boolean;
  /** Node is up in it. */
  readonly isUp: () => boolean;
  readonly user: () => ContainerUser;
  /** Resolves when more of the container may be read: one that reads no responses is not read itself. */
  readonly serve: (asked: Extract<OutputItem, { kind: 'request' }>) => Promise<void> | undefined;
  readonly onReady: (bound: Readonly<Record<string, string>>) => void;
  readonly end: (ending: Ending) => void;
}

/** Reads what a container writes, and tells it to whoever uses the container. */
export class ContainerReader {
  readonly #budget: OutputBudget;
  readonly #owner: ReaderOwner;
  readonly #logger: Logger;
  /** V8 has said on stderr that its heap is full. */
  heapWasFull = false;
  /** The connection broke, and did not just end. */
  streamBroke = false;

  constructor(budget: OutputBudget, owner: ReaderOwner, logger: Logger) {
    this.#budget = budget;
    this.#owner = owner;
    this.#logger = logger;
  }

  /** Resolves when the output is over. Never rejects. */
  async read(output: ContainerStreams['output']): Promise<void> {
    try {
      // Read on after the end: a cancelled plugin may say something while it tidies up.
      for await (const item of listen(output, this.#budget)) {
        if (this.#owner.isOver()) continue;
        if (item.kind !== 'request') this.#take(item);
        else if (this.#owner.isUp()) await this.#owner.serve(item);
        else this.#breach('a request came before `ready`');
      }
    } catch (error) {
      // Whether the engine or the container went away, the engine itself can tell.
      this.#logger.debug({ err: error }, 'the attached stream broke');
      this.streamBroke = true;
    }
  }

  #take(item: Exclude<OutputItem, { kind: 'request' }>): void {
    const user = this.#owner.user();
    if (item.kind === 'message') this.#takeMessage(item.message);
    else if (item.kind === 'fault') this.#owner.end(failed(item.outcome, item.reason));
    else if (item.kind === 'outputEnd') user.onOutputEnd(item.id);
    else if (item.kind === 'surplus') {
      if (item.source === 'stderr') this.heapWasFull ||= tellsHeapIsFull(item.bytes.toString('latin1'));
      user.onSurplus(item);
    } else {
      if (item.source === 'stderr') this.heapWasFull ||= tellsHeapIsFull(item.text);
      user.onLine(item.source, item.text, item.cutBytes);
    }
  }

  #takeMessage(message: RunnerMessage): void {
    if (message.kind === 'ready') {
      if (this.#owner.isUp()) this.#breach('`ready` came twice');
      else if (message.protocol !== PROTOCOL_VERSION)
        this.#breach(`the runner speaks version ${message.protocol}`);
      else this.#owner.onReady(message.mounts ?? {});
    } else if (!this.#owner.isUp()) this.#breach(`\`${message.kind}\` came before \`ready\``);
    else {
      const user = this.#owner.user();
      if (user.isIdle && (message.kind === 'result' || message.kind === 'error')) this.#budget.rest();
      user.onMessage(message);
    }
  }

  #breach(detail: string): void {
    this.#owner.end(failed('PROTOCOL_ERROR', detail));
  }
}
