import { isUtf8 } from 'node:buffer';
import { JsonReader } from '../json/reader.ts';
import { RECORD_LIMITS } from '../protocol/record-limits.ts';
import { parseRunnerMessage, type RunnerMessage } from '../protocol/runner-message.ts';

export const MAX_LINE_BYTES = 8 * 1024;

/** Output beyond the lines that are kept one by one, as it came; most of it is only counted. */
export interface Surplus {
  /** `console`: the bytes are a record; else they are lines, the first and the last of which may be parts. */
  readonly source: 'stdout' | 'stderr' | 'console';
  readonly bytes: Buffer;
}

/** The log message in a record that was put aside; `null` when it is not one. */
export function readLogRecord(bytes: Buffer): Extract<RunnerMessage, { kind: 'log' }> | null {
  if (!isUtf8(bytes)) return null;
  const reading = new JsonReader(bytes, RECORD_LIMITS).read();
  const message = reading.ok ? parseRunnerMessage(reading.value) : null;
  return message?.kind === 'log' ? message : null;
}
