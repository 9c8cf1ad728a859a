import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import type { Readable, Writable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { parseContext } from '../../src/calls/context.ts';
import { toExecuteRecord } from '../../src/calls/request.ts';
import { RecordReader } from '../../src/protocol/framing.ts';
import { EXECUTE_ID } from '../../src/protocol/messages.ts';
import { checkOutput, type Input } from '../plugin.ts';
import type { Timing } from './peer.ts';

/** Beyond this something hangs. */
const DEADLINE_MS = 120_000;

export interface Answer {
  readonly resultMs: number;
  readonly ownMs: number;
}

export interface ConversationOptions {
  readonly stdin: Writable;
  readonly stdout: Readable;
  /** Path of the plugin as the runner sees it. */
  readonly entryPoint: string;
  readonly input: Input;
  readonly startedAt: number;
}

/**
 * What lurkbox says to the runner of a cold container, said by a peer: waits until it is ready, asks once, and hangs up
 * after the answer. `null` when the stream ended without one.
 */
export async function converse({
  stdin,
  stdout,
  entryPoint,
  input,
  startedAt,
}: ConversationOptions): Promise<Answer | null> {
  const reader = new RecordReader({ maxRecordBytes: 1024 * 1024, maxLineBytes: 1024 });
  const request = [
    ...toExecuteRecord({ entryPoint, maxResultBytes: 1024 * 1024, context: toContext(input) }),
  ].join('');
  let answer: Answer | null = null;
  for await (const chunk of stdout) {
    for (const { kind, ...piece } of reader.push(chunk as Buffer)) {
      if (kind !== 'record' || !('bytes' in piece)) continue;
      const message = JSON.parse(piece.bytes.toString('utf8'));
      if (message.method === 'ready') stdin.write(request);
      if (message.id !== EXECUTE_ID) continue;
      const resultMs = performance.now() - startedAt;
      // The runner leaves when the host hangs up.
      stdin.end();
      answer = { resultMs, ownMs: checkOutput(input, message.result ?? message.error).ownMs };
    }
  }
  return answer;
}

export interface Program {
  readonly command: string;
  readonly args: readonly string[];
  readonly env: NodeJS.ProcessEnv;
  readonly cwd?: string;
}

/** Starts a program whose stdin and stdout are those of the runner, and executes the plugin once. */
export async function callProgram(
  { command, args, ...options }: Program,
  { entryPoint, input }: { entryPoint: string; input: Input },
): Promise<Timing> {
  const startedAt = performance.now();
  const child: ChildProcessByStdio<Writable, Readable, Readable> = spawn(command, args, {
    ...options,
    stdio: ['pipe', 'pipe', 'pipe'],
    timeout: DEADLINE_MS,
    killSignal: 'SIGKILL',
  });
  const closed = once(child, 'close');
  const { stdin, stdout } = child;
  // One that leaves early is told by what it did not answer.
  stdin.on('error', () => {});
  const [complaint, answer] = await Promise.all([
    text(child.stderr),
    converse({ stdin, stdout, entryPoint, input, startedAt }),
    closed,
  ]);
  const goneMs = performance.now() - startedAt;
  if (answer === null) throw new Error(`\`${command}\` gave no answer: ${complaint.trim().slice(-500)}`);
  return { startedAt, ...answer, goneMs };
}

export function toContext(input: Input) {
  return { executionId: randomUUID(), ...parseContext({ inputData: { ...input } }) };
}
