import { execFileSync } from 'node:child_process';
import { createServer } from 'node:net';
import { join } from 'node:path';
import type { Prepared } from '../../../helpers/abuse.ts';

export async function prepare(folder: string): Promise<Prepared> {
  execFileSync('mkfifo', [join(folder, 'pipe.js')]);
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(join(folder, 'socket.js'), resolve));
  return { [Symbol.asyncDispose]: () => new Promise((resolve) => server.close(() => resolve())) };
}
