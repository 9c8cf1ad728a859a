import { escapeControls } from '../printable.ts';
import { tell } from './output.ts';

/** Shows what is being waited for: a line that counts the seconds on a terminal, a plain line elsewhere. */
export class Progress {
  #timer: NodeJS.Timeout | undefined;
  #message = '';
  #startedAt = 0;

  begin(written: string): void {
    const message = escapeControls(written);
    this.end();
    if (!process.stderr.isTTY) {
      tell(`${message} …`);
      return;
    }
    this.#message = message;
    this.#startedAt = performance.now();
    this.#draw();
    this.#timer = setInterval(() => this.#draw(), 1000);
  }

  /** Says something else of what is being waited for; nothing where nothing is counted. */
  update(message: string): void {
    if (this.#timer === undefined) return;
    this.#message = escapeControls(message);
    this.#draw();
  }

  /** Fine to call when nothing is shown. */
  end(): void {
    if (this.#timer === undefined) return;
    clearInterval(this.#timer);
    this.#timer = undefined;
    process.stderr.write(`\r\u001b[K${this.#message} (${this.#seconds()} s)\n`);
  }

  #draw(): void {
    process.stderr.write(`\r\u001b[K${this.#message} … ${this.#seconds()} s`);
  }

  #seconds(): number {
    return Math.round((performance.now() - this.#startedAt) / 1000);
  }
}
