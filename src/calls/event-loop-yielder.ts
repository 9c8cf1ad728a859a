import { setImmediate as nextTurn } from 'node:timers/promises';

/** Executions side by side take their turns one after the other before any timer has its own. */
const TURN_MS = 2;

/**
 * Gives timers and other executions their turn. What is in memory already waits for nobody: a chunk can hold thousands of
 * lines, and a record a hundred thousand values.
 */
export class EventLoopYielder {
  #since = performance.now();

  isOver(): boolean {
    return performance.now() - this.#since > TURN_MS;
  }

  async next(): Promise<void> {
    await nextTurn();
    this.#since = performance.now();
  }
}
