import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { CellContext } from './cell.ts';

/** One batch of calls that wait; bytes for each of them, its payload included. */
export interface QueueBatch {
  readonly heapBytes: number;
  readonly rssBytes: number;
}

export interface QueueResult {
  readonly calls: number;
  readonly payloadBytes: number;
  readonly batches: readonly QueueBatch[];
}

const DEADLINE_MS = 120_000;

/** What the orchestrator needs for a call that waits for a place. In a process of its own, where nothing else grows. */
export async function measureQueue({ stage, scale, tell }: CellContext): Promise<QueueResult> {
  const { batches, calls } = scale.queue;
  tell(`${calls} calls`);
  const program = join(import.meta.dirname, 'queue-child.ts');
  const args = ['--expose-gc', program, stage.workspace.root, `${batches}`, `${calls}`];
  const { stdout } = await promisify(execFile)(process.execPath, args, { timeout: DEADLINE_MS });
  return JSON.parse(stdout);
}
