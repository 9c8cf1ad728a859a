import { type Duplex, PassThrough } from 'node:stream';
import type Docker from 'dockerode';
import { converse } from '../peers/conversation.ts';
import { type Subject, toPeerOptions } from '../peers/subject.ts';
import { createInput } from '../plugin.ts';
import { busyMs, waitUntilQuiet } from '../quiet.ts';
import { shuffle } from '../rounds.ts';
import type { CellContext } from './cell.ts';

type CreateBody = ReturnType<typeof toPeerOptions>;

/** One thing done otherwise than lurkbox does it, over the plain API of the engine. */
interface Trick {
  readonly title: string;
  readonly change?: (body: CreateBody) => CreateBody;
  /** How a container that has answered goes. @default it is told to leave, and removed when it has ended */
  readonly end?: 'killed' | 'started again';
}

export const TRICKS = {
  'as-is': { title: 'as lurkbox does it' },
  killed: { title: 'killed after its answer', end: 'killed' },
  'started-again': {
    title: 'the finished container started again',
    end: 'started again',
  },
  network: {
    title: 'network set up by the engine (`NetworkDisabled: false`)',
    change: (body) => ({ ...body, NetworkDisabled: false }),
  },
  'no-seccomp': {
    title: 'without the seccomp profile, for comparison',
    change: (body) => changeHost(body, { SecurityOpt: ['no-new-privileges:true', 'seccomp=unconfined'] }),
  },
  'no-limits': {
    title: 'without limits and tmpfs, for comparison',
    change: (body) =>
      changeHost(body, { Tmpfs: {}, Memory: 0, MemorySwap: 0, NanoCpus: 0, PidsLimit: 0, Ulimits: [] }),
  },
} as const satisfies Record<string, Trick>;
export type TrickId = keyof typeof TRICKS;

export interface TrickWindow {
  readonly trick: TrickId;
  readonly calls: number;
  readonly elapsedMs: number;
  readonly cpuMs: number;
}

export interface TricksResult {
  readonly callers: number;
  readonly windows: readonly TrickWindow[];
}

const CALLERS = 4;

/** What each trick of the cold path is worth: closed loops over the engine's API, removal inside the window. */
export async function measureTricks({ stage, scale, tell }: CellContext): Promise<TricksResult> {
  const { rounds, windowMs } = scale.sustained;
  const windows: TrickWindow[] = [];
  for (let round = 0; round <= rounds; round++) {
    tell(`round ${round} of ${rounds}`);
    for (const trick of shuffle(Object.keys(TRICKS) as TrickId[])) {
      const window = await measureWindow(stage.subject, trick, round === 0 ? 0 : windowMs);
      if (round > 0) windows.push(window);
    }
  }
  return { callers: CALLERS, windows };
}

async function measureWindow(subject: Subject, trick: TrickId, windowMs: number): Promise<TrickWindow> {
  await waitUntilQuiet();
  const [startedAt, busyBefore] = [performance.now(), busyMs()];
  const isOver = (): boolean => performance.now() - startedAt >= windowMs;
  const counts = await Promise.all(
    Array.from({ length: CALLERS }, () => work(subject, TRICKS[trick], isOver)),
  );
  const calls = counts.reduce((sum, count) => sum + count, 0);
  return { trick, calls, elapsedMs: performance.now() - startedAt, cpuMs: busyMs() - busyBefore };
}

/** Answers how many calls one caller made. */
async function work(subject: Subject, trick: Trick, isOver: () => boolean): Promise<number> {
  let kept: Docker.Container | null = null;
  let calls = 0;
  try {
    do {
      kept ??= await create(subject, trick);
      await call(subject, kept, trick);
      calls++;
      if (trick.end === 'started again') continue;
      await kept.remove({ force: true });
      kept = null;
    } while (!isOver());
  } finally {
    await kept?.remove({ force: true });
  }
  return calls;
}

function create(subject: Subject, { change = (body) => body }: Trick): Promise<Docker.Container> {
  return subject.docker.createContainer(change(toPeerOptions(subject)));
}

async function call(
  { docker, entryPoint }: Subject,
  container: Docker.Container,
  trick: Trick,
): Promise<void> {
  const startedAt = performance.now();
  const streams = { stream: true, stdin: true, stdout: true, stderr: true, hijack: true };
  const socket = (await container.attach(streams)) as Duplex;
  const stdout = new PassThrough();
  docker.modem.demuxStream(socket, stdout, new PassThrough().resume());
  socket.on('end', () => stdout.end());
  await container.start();
  const options = { stdout, entryPoint, input: createInput(), startedAt };
  if (trick.end === 'killed') {
    const stdin = withoutEnd(socket);
    await untilAnswered({ ...options, stdin }, stdin);
    socket.destroy();
    return;
  }
  const answer = await converse({ ...options, stdin: socket });
  if (trick.end === 'started again') await container.wait();
  if (answer === null) throw new Error('The container gave no answer.');
}

/** The stream that the conversation hangs up on, and that does not reach the container's input. */
function withoutEnd(socket: Duplex): PassThrough {
  const stdin = new PassThrough();
  stdin.pipe(socket, { end: false });
  return stdin;
}

/** Until the conversation hangs up, which it does after the answer; the stream itself goes on. */
async function untilAnswered(options: Parameters<typeof converse>[0], stdin: PassThrough): Promise<null> {
  const { promise: hungUp, resolve } = Promise.withResolvers<null>();
  stdin.once('end', () => resolve(null));
  void converse(options).catch(() => {});
  return hungUp;
}

function changeHost(body: CreateBody, changes: Partial<CreateBody['HostConfig']>): CreateBody {
  return { ...body, HostConfig: { ...body.HostConfig, ...changes } };
}
