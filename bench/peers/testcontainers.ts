import type { Readable } from 'node:stream';
import { GenericContainer, Wait } from 'testcontainers';
import { checkOutput, type Input } from '../plugin.ts';
import type { Peer, Timing } from './peer.ts';
import { type Subject, toPeerOptions } from './subject.ts';

// Stays until it is stopped: of one that has ended, the log that is followed may lack the end.
const PROGRAM = `
  setInterval(() => {}, 60_000);
  const [entryPoint, input] = process.argv.slice(1);
  import(entryPoint)
    .then(({ execute }) => execute({ inputData: JSON.parse(input) }))
    .then((answer) => console.log('answer ' + JSON.stringify(answer)));
`;
const ANSWER = /^answer (.*)$/m;

/** With the options that the library has no method for. */
class HardenedContainer extends GenericContainer {
  constructor(subject: Subject) {
    super(subject.imageTag);
    const { HostConfig, Image: _, ...create } = toPeerOptions(subject);
    const stdio = { OpenStdin: false, StdinOnce: false, AttachStdin: false };
    this.createOpts = { ...this.createOpts, ...create, ...stdio };
    this.hostConfig = { ...this.hostConfig, ...HostConfig, LogConfig: { Type: 'json-file', Config: {} } };
    // Laid over what stands in `hostConfig`.
    this.networkMode = HostConfig.NetworkMode;
  }
}

export function createTestcontainers(subject: Subject): Peer {
  // Read by the library whenever it starts a container; its image would have to be fetched.
  process.env['TESTCONTAINERS_RYUK_DISABLED'] = 'true';
  process.env['DOCKER_HOST'] ??= subject.address;
  return { id: 'testcontainers', call: (input) => call(subject, input) };
}

async function call(subject: Subject, input: Input): Promise<Timing> {
  const { options, entryPoint } = subject;
  const startedAt = performance.now();
  const { promise: answered, ...settle } = Promise.withResolvers<LoggedAnswer>();
  answered.catch(() => {});
  const container = await new HardenedContainer(subject)
    .withEntrypoint([...options.Entrypoint.slice(0, -1), '-e', PROGRAM, entryPoint, JSON.stringify(input)])
    .withAutoCleanup(false)
    .withLogConsumer((stream) => readAnswer(stream as Readable, startedAt, settle))
    .withWaitStrategy(Wait.forLogMessage(ANSWER))
    .withStartupTimeout(30_000)
    .start();
  try {
    const { json, resultMs } = await answered;
    const { ownMs } = checkOutput(input, JSON.parse(json));
    await container.stop();
    return { startedAt, resultMs, ownMs, goneMs: performance.now() - startedAt };
  } catch (error) {
    await container.stop().catch(() => {});
    throw error;
  }
}

interface LoggedAnswer {
  readonly resultMs: number;
  readonly json: string;
}

function readAnswer(
  stream: Readable,
  startedAt: number,
  settle: { resolve: (answer: LoggedAnswer) => void; reject: (reason: Error) => void },
): void {
  let log = '';
  stream.on('data', (chunk: Buffer | string) => {
    log += chunk.toString();
    const json = log.includes('\n') ? ANSWER.exec(log)?.[1] : undefined;
    if (json !== undefined) settle.resolve({ resultMs: performance.now() - startedAt, json });
  });
  stream.on('end', () => settle.reject(new Error('The log ended without an answer.')));
}
