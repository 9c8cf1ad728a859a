import type { LogLevel } from '../protocol/messages.ts';
import type { LogLine } from './result.ts';

const MAX_LINES = 1_000;
const MAX_CHARS = 256 * 1024;

/** The log lines of one execution, up to a limit; what is over it is counted and not kept. */
export class LogBook {
  readonly lines: LogLine[] = [];
  #chars = 0;
  #dropped = 0;
  #stderrBytes: number | null = null;

  add(level: LogLevel, source: LogLine['source'], message: string): void {
    if (this.lines.length >= MAX_LINES || this.#chars + message.length > MAX_CHARS) {
      this.#dropped++;
      return;
    }
    this.#chars += message.length;
    this.lines.push({ level, source, message });
  }

  /** What was printed past the console. */
  addLine(source: 'stdout' | 'stderr', text: string): void {
    this.add(source === 'stderr' ? 'warn' : 'info', source, text);
  }

  /** What came over stderr after so many bytes is not known line by line. */
  cutStderr(afterBytes: number): void {
    this.#stderrBytes = afterBytes;
  }

  warnings(): string[] {
    const limits = `${MAX_LINES} lines or ${MAX_CHARS} characters`;
    return [
      ...(this.#dropped > 0 ? [`${this.#dropped} log lines over the limit of ${limits} were dropped`] : []),
      ...(this.#stderrBytes === null
        ? []
        : [`stderr was dropped after its first ${this.#stderrBytes} bytes`]),
    ];
  }
}
