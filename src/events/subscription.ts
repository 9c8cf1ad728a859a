import type { Logger } from '../logger.ts';
import type { PluginEvent, PluginEventType } from './event.ts';

export type PluginEventHandler = (event: PluginEvent) => void | Promise<void>;

export interface PluginEventFilter {
  /** Name of a plugin. @default events of all plugins */
  readonly plugin?: string;
  /** @default events of all types */
  readonly types?: readonly PluginEventType[];
}

/** Events that may wait for one handler; for more, the oldest make room. */
const MAX_WAITING_EVENTS = 1_000;

export function fits(event: PluginEvent, { plugin, types }: PluginEventFilter): boolean {
  return (
    (plugin === undefined || event.pluginName === plugin) &&
    (types === undefined || types.includes(event.eventType))
  );
}

/** Calls one handler with its events, one at a time and one in a turn of the event loop. What it throws goes nowhere else. */
export class Subscription {
  readonly handler: PluginEventHandler;
  readonly #filter: PluginEventFilter;
  readonly #logger: Logger;
  readonly #waiting: PluginEvent[] = [];
  #telling = false;
  /** Since the handler last had nothing waiting. */
  #dropped = 0;
  #failing = false;

  constructor(handler: PluginEventHandler, filter: PluginEventFilter, logger: Logger) {
    this.handler = handler;
    this.#filter = filter;
    this.#logger = logger;
  }

  push(event: PluginEvent): void {
    if (!fits(event, this.#filter)) return;
    if (this.#waiting.length === MAX_WAITING_EVENTS) this.#dropOldest();
    this.#waiting.push(event);
    if (this.#telling) return;
    this.#telling = true;
    setImmediate(() => this.#tellNext());
  }

  /** Events that still wait are dropped. */
  cancel(): void {
    this.#waiting.length = 0;
  }

  async #tellNext(): Promise<void> {
    const event = this.#waiting.shift();
    if (event === undefined) return this.#rest();
    try {
      await this.handler(event);
      this.#failing = false;
    } catch (error) {
      this.#logFailure(error, event);
    }
    setImmediate(() => this.#tellNext());
  }

  #rest(): void {
    this.#telling = false;
    if (this.#dropped === 0) return;
    this.#logger.warn({ dropped: this.#dropped }, 'an event handler has caught up; events were dropped');
    this.#dropped = 0;
  }

  #dropOldest(): void {
    this.#waiting.shift();
    this.#dropped++;
    if (this.#dropped === 1)
      this.#logger.warn(
        { handler: this.handler.name, waiting: MAX_WAITING_EVENTS },
        'an event handler is too slow; its oldest events are dropped',
      );
  }

  /** Once until it succeeds again: a handler that always fails would fill the log. */
  #logFailure(error: unknown, { eventType, pluginName }: PluginEvent): void {
    if (this.#failing) return;
    this.#failing = true;
    this.#logger.error(
      { err: error, handler: this.handler.name, eventType, plugin: pluginName },
      'an event handler failed',
    );
  }
}
