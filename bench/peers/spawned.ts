import { join } from 'node:path';
import { callProgram } from './conversation.ts';
import type { Peer } from './peer.ts';
import type { Exported } from './rootfs.ts';
import type { Subject } from './subject.ts';

/** The Node and the runner of the image, started on the host: what is left when there is no isolation at all. */
export function createSpawned({ options, entryPoint }: Subject, { rootfs }: Exported): Peer {
  const [command = '', ...args] = options.Entrypoint.map((word) =>
    word.startsWith('/') ? join(rootfs, word) : word,
  );
  const program = { command, args, cwd: rootfs, env: toEnvironment(options.Env) };
  const call = { entryPoint: join(rootfs, entryPoint) };
  return { id: 'process', call: (input) => callProgram(program, { ...call, input }) };
}

function toEnvironment(variables: readonly string[]): NodeJS.ProcessEnv {
  const pairs = variables.map((variable) => {
    const [name = '', ...value] = variable.split('=');
    return [name, value.join('=')];
  });
  return Object.fromEntries(pairs);
}
