import { type Duplex, PassThrough } from 'node:stream';
import type { Input } from '../plugin.ts';
import { converse } from './conversation.ts';
import type { Peer, Timing } from './peer.ts';
import { type Subject, toPeerOptions } from './subject.ts';

/** What a person writes who uses the client library as its documentation shows it: create, attach, start, wait, remove. */
export function createDockerode(subject: Subject): Peer {
  return { id: 'dockerode', call: (input) => call(subject, input) };
}

async function call(subject: Subject, input: Input): Promise<Timing> {
  const { docker, entryPoint } = subject;
  const startedAt = performance.now();
  const container = await docker.createContainer(toPeerOptions(subject));
  try {
    const stdin = (await container.attach({
      stream: true,
      stdin: true,
      stdout: true,
      stderr: true,
      hijack: true,
    })) as Duplex;
    const stdout = new PassThrough();
    docker.modem.demuxStream(stdin, stdout, new PassThrough().resume());
    stdin.on('end', () => stdout.end());
    const exited = container.wait({ condition: 'next-exit' });
    await container.start();
    const answer = await converse({ stdin, stdout, entryPoint, input, startedAt });
    await exited;
    await container.remove();
    if (answer === null) throw new Error('The container gave no answer.');
    return { startedAt, ...answer, goneMs: performance.now() - startedAt };
  } catch (error) {
    await container.remove({ force: true }).catch(() => {});
    throw error;
  }
}
