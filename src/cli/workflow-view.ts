import { styleText } from 'node:util';
import type { WorkflowProgress } from '../index.ts';
import { escapeControls } from '../printable.ts';
import { formatMs, tell } from './output.ts';

const REDRAW_MS = 100;

const MARKS = {
  waiting: ['dim', '·'],
  running: ['cyan', '▸'],
  done: ['green', '✔'],
  failed: ['red', '✖'],
  skipped: ['dim', '–'],
  cancelled: ['yellow', '✖'],
  not_reached: ['dim', '·'],
} as const;

interface Shown {
  readonly status: keyof typeof MARKS;
  readonly reason: string | null;
  readonly said: WorkflowProgress['said'];
  readonly beganMs: number | null;
  readonly atMs: number;
}

const WAITING: Shown = { status: 'waiting', reason: null, said: null, beganMs: null, atMs: 0 };

/** Shows on stderr how far a workflow is: a block that is drawn again on a terminal, a line for each change elsewhere. */
export class WorkflowView implements Disposable {
  readonly #beganAt = performance.now();
  readonly #steps: Map<string, Shown>;
  readonly #timer: NodeJS.Timeout | undefined;
  #drawn: string | null = null;

  constructor(names: readonly string[]) {
    this.#steps = new Map(names.map((name) => [name, WAITING]));
    const { isTTY, rows } = process.stderr;
    // A block that is taller than the terminal cannot be drawn again.
    if (isTTY && names.length < rows) this.#timer = setInterval(() => this.#draw(), REDRAW_MS);
  }

  show({ step, status, reason, said, atMs }: WorkflowProgress): void {
    const before = this.#steps.get(step) ?? WAITING;
    const beganMs = before.beganMs ?? (status === 'running' ? atMs : null);
    const shown = { status, reason, said, beganMs, atMs };
    this.#steps.set(step, shown);
    if (this.#timer === undefined && before.status !== status) tell(`${step}: ${describeStep(shown, null)}`);
  }

  [Symbol.dispose](): void {
    if (this.#timer === undefined) return;
    clearInterval(this.#timer);
    this.#draw();
  }

  #draw(): void {
    const now = performance.now() - this.#beganAt;
    const width = Math.max(...[...this.#steps.keys()].map((name) => name.length));
    const lines = [...this.#steps].map(([name, shown]) => {
      const [style, mark] = MARKS[shown.status];
      return `${styleText(style, mark, { stream: process.stderr })} ${name.padEnd(width)}  ${describeStep(shown, now)}`;
    });
    const text = lines.map((line) => `\r\u001b[K${line}\n`).join('');
    if (text === this.#drawn) return;
    const up = this.#drawn === null ? '' : `\u001b[${lines.length}A`;
    // A line that wraps would be two, so that the terminal is told to cut it.
    process.stderr.write(`${up}\u001b[?7l${text}\u001b[?7h`);
    this.#drawn = text;
  }
}

/** `now`: milliseconds since the beginning, where seconds are counted. */
export function describeStep({ status, reason, said, beganMs, atMs }: Shown, now: number | null): string {
  const words = status.replace('_', ' ');
  const why = reason === null ? '' : `: ${escapeControls(reason)}`;
  if (status !== 'running')
    return `${words}${beganMs === null ? '' : ` (${formatMs(atMs - beganMs)})`}${why}`;
  const seconds = now === null ? '' : ` ${Math.floor((now - (beganMs ?? now)) / 1000)} s`;
  const progress =
    said === null ? '' : `, ${Math.round(said.fraction * 100)} % ${escapeControls(said.message)}`;
  return `${words}${seconds}${progress}`;
}
