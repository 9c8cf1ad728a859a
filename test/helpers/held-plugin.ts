import Docker from 'dockerode';
import { LABELS } from '../../src/labels.ts';
import type { TestPlugin } from './workspace.ts';

/** A plugin in the middle of its execution: it has done what it was told, and stays until it is let go. */
export interface HeldPlugin<Answer> extends AsyncDisposable {
  readonly containerId: string;
  /** Of its first process, as the host of the engine counts. */
  readonly pid: number;
  /** What the program answered. */
  readonly answer: Answer;
}

/** Has a probe run a program, and keeps its container running until the handle is disposed of. */
export async function holdOpen<Answer>(
  plugin: TestPlugin,
  program: () => Answer,
): Promise<HeldPlugin<Awaited<Answer>>> {
  const release = new AbortController();
  let text = '';
  const answer = Promise.withResolvers<string>();
  const take = (fraction: number, piece: string): void => {
    text += piece;
    if (fraction === 1) answer.resolve(text);
  };
  const execution = plugin.call(
    { inputData: { program: answerAndStay(program), args: null } },
    { signal: release.signal, onProgress: take },
  );
  void execution.then(({ outcome, error }) =>
    answer.reject(new Error(`the program ended with ${outcome}: ${error?.message}`)),
  );
  const letGo = async (): Promise<void> => {
    release.abort();
    await execution;
  };
  try {
    return {
      answer: JSON.parse(await answer.promise),
      ...(await findProcess(plugin.name)),
      [Symbol.asyncDispose]: letGo,
    };
  } catch (error) {
    await letGo();
    throw error;
  }
}

/** As text, like every program of a probe. In pieces: a long message is cut, and of many in a row the last ones are told. */
function answerAndStay(program: () => unknown): string {
  return `(async (_, host) => {
    const pieces = JSON.stringify(await (${program})()).match(/.{1,4000}/gs);
    for (const [index, piece] of pieces.entries()) {
      host.progress((index + 1) / pieces.length, piece);
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    await new Promise((resolve) => host.signal.addEventListener('abort', resolve));
  })`;
}

async function findProcess(plugin: string): Promise<{ containerId: string; pid: number }> {
  const docker = new Docker();
  const [container] = await docker.listContainers({ filters: { label: [`${LABELS.plugin}=${plugin}`] } });
  if (container === undefined) throw new Error(`no container of ${plugin} is running`);
  const { Id, State } = await docker.getContainer(container.Id).inspect();
  return { containerId: Id, pid: State.Pid };
}
