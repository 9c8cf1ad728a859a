import { LurkboxError } from '../errors.ts';
import type { Logger } from '../logger.ts';
import { type NewPluginEvent, PLUGIN_EVENT_TYPES, type PluginEvent, toPluginEvent } from './event.ts';
import { fits, type PluginEventFilter, type PluginEventHandler, Subscription } from './subscription.ts';

export interface PluginEventsOptions {
  readonly logger: Logger;
  /** How many of the last events are kept. @default 1000 */
  readonly historySize?: number;
  /** @default the clock */
  readonly now?: () => Date;
}

export interface HistoryFilter extends PluginEventFilter {
  /** At most this many: the newest events that fit. @default all */
  readonly limit?: number;
}

/** Events of plugins and their handlers. A handler can neither delay nor fail what happens. */
export class PluginEvents {
  readonly #logger: Logger;
  readonly #historySize: number;
  readonly #now: () => Date;
  readonly #subscriptions = new Set<Subscription>();
  readonly #history: PluginEvent[] = [];
  #closed = false;

  constructor({ logger, historySize = 1000, now = () => new Date() }: PluginEventsOptions) {
    this.#logger = logger;
    this.#historySize = historySize;
    this.#now = now;
  }

  /** Never throws, and does not wait for handlers, which get a copy after the turn in which this is called. */
  emit(event: NewPluginEvent): void {
    if (this.#closed) return;
    try {
      const complete = toPluginEvent(event, this.#now);
      this.#history.push(complete);
      if (this.#history.length > this.#historySize) this.#history.shift();
      for (const subscription of this.#subscriptions) subscription.push(complete);
    } catch (error) {
      this.#logger.error({ err: error }, 'an event could not be told');
    }
  }

  /**
   * Calls a function with the events that fit, in their order and one at a time: the next one when it has returned,
   * or when the promise that it returned has settled. Up to 1,000 wait for it; beyond that the oldest are dropped. What it
   * throws is logged. Disposing of the answer ends it, at once; `removeEventHandler` does so too.
   * @throws LurkboxError `OPTIONS_INVALID`
   */
  addEventHandler(handler: PluginEventHandler, filter: PluginEventFilter = {}): Disposable {
    assertUsable(handler, filter);
    const subscription = new Subscription(handler, filter, this.#logger);
    if (!this.#closed) this.#subscriptions.add(subscription);
    return { [Symbol.dispose]: () => this.#remove(subscription) };
  }

  /** Takes the handler back, as often as it was added. Answers whether it was there. */
  removeEventHandler(handler: PluginEventHandler): boolean {
    const found = [...this.#subscriptions].filter((subscription) => subscription.handler === handler);
    for (const subscription of found) this.#remove(subscription);
    return found.length > 0;
  }

  /** The last events that fit, newest last. */
  history({ limit = Number.POSITIVE_INFINITY, ...filter }: HistoryFilter = {}): readonly PluginEvent[] {
    const found = this.#history.filter((event) => fits(event, filter));
    return found.slice(Math.max(0, found.length - limit));
  }

  /** No event is taken any more; handlers are still told what came before. Fine to call twice. */
  close(): void {
    this.#closed = true;
    this.#subscriptions.clear();
  }

  #remove(subscription: Subscription): void {
    subscription.cancel();
    this.#subscriptions.delete(subscription);
  }
}

// A typo would be a handler that never hears of anything.
function assertUsable(handler: unknown, { types = [], ...rest }: PluginEventFilter): void {
  const unknown = types.filter((type) => !PLUGIN_EVENT_TYPES.includes(type));
  const { plugin: _plugin, ...others } = rest;
  const problems = [
    ...(typeof handler === 'function'
      ? []
      : [{ path: '', message: 'expected the handler to be a function' }]),
    ...unknown.map((type) => ({
      path: 'types',
      message: `expected some of ${PLUGIN_EVENT_TYPES.join(', ')}, got ${String(type)}`,
    })),
    ...Object.keys(others).map((path) => ({ path, message: 'unknown; known are plugin, types' })),
  ];
  if (problems.length > 0)
    throw new LurkboxError('OPTIONS_INVALID', 'The event handler cannot be added.', { problems });
}
