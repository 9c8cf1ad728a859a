import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { type AddressInfo, connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

/** Hands on what comes at a socket to a port, of the network that it runs in; ends with its stdin. */
const INSIDE = `
  import { execFileSync } from 'node:child_process';
  import { connect, createServer } from 'node:net';
  const [socketPath, port] = process.argv.slice(1);
  execFileSync('ip', ['link', 'set', 'lo', 'up']);
  createServer({ allowHalfOpen: true }, (socket) => {
    const other = connect({ port: Number(port), host: '127.0.0.1', allowHalfOpen: true });
    for (const [from, to] of [[socket, other], [other, socket]]) from.on('error', () => to.destroy()).pipe(to);
  }).listen(socketPath, () => console.log('listens'));
  process.stdin.resume().on('end', () => process.exit());`;

/** A port of this host that leads to one in the network of a process, of which nothing else can be reached from here. */
export async function forwardInto(
  pid: number,
  port: number,
): Promise<{ readonly port: number } & AsyncDisposable> {
  const folder = mkdtempSync(join(tmpdir(), 'lurkbox-forward-'));
  const socketPath = join(folder, 'socket');
  const node = [process.execPath, '--input-type=module', '-e', INSIDE, socketPath, String(port)];
  const inside = spawn('nsenter', [`--net=/proc/${pid}/ns/net`, ...node], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  await once(createInterface(inside.stdout), 'line');
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    const other = connect({ path: socketPath, allowHalfOpen: true });
    socket.on('error', () => other.destroy()).pipe(other);
    other.on('error', () => socket.destroy()).pipe(socket);
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    [Symbol.asyncDispose]: async () => {
      server.close();
      inside.stdin.end();
      await once(inside, 'close');
      rmSync(folder, { recursive: true });
    },
  };
}
