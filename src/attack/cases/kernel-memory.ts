import { type AttackGroup, heldIf, judgeAnswer, type Program } from '../attack.ts';

const MIB = 1024 * 1024;
/** In the buffers of all sockets of a container: it is memory of the host that its limit does not count. */
const MOST_BYTES = 64 * MIB;

interface Filled {
  /** What the kernel took and nobody read. */
  readonly bytes: number;
  /** The largest buffer that a socket got, or the error. */
  readonly buffer: number | string;
}

/** Fills connections in both directions, which nobody reads, until there is no descriptor or the kernel takes no more. */
const fillSockets = async (): Promise<Filled> => {
  const { connect, createServer } = process.getBuiltinModule('node:net');
  const { createSocket } = process.getBuiltinModule('node:dgram');
  const held: import('node:net').Socket[] = [];
  const keep = (socket: import('node:net').Socket): void => void held.push(socket.on('error', () => {}));
  const server = createServer({ pauseOnConnect: true }, keep);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as import('node:net').AddressInfo;
  for (let count = 0; count < 60; count++) {
    await new Promise<void>((resolve) => {
      const socket = connect({ port, host: '127.0.0.1' }, resolve);
      keep(socket.once('error', () => resolve()).pause());
    });
  }
  // Small: what is taken of a write counts when all of it is.
  const chunk = Buffer.alloc(4 * 1024, 1);
  const fill = (socket: import('node:net').Socket): void => {
    while (socket.writableLength < 16 * chunk.length) socket.write(chunk);
  };
  const taken = (): number =>
    held.reduce((sum, socket) => sum + socket.bytesWritten - socket.writableLength, 0);
  // Until a round brings nothing more.
  for (let before = -1, rounds = 0; taken() > before && rounds < 100; rounds++) {
    before = taken();
    held.forEach(fill);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  const datagrams = createSocket('udp4');
  await new Promise<void>((resolve) => datagrams.bind(0, '127.0.0.1', resolve));
  let buffer: number | string;
  try {
    datagrams.setRecvBufferSize(8 * 1024 * 1024);
    buffer = datagrams.getRecvBufferSize();
  } catch (error) {
    buffer = (error as NodeJS.ErrnoException).code ?? String(error);
  }
  return { bytes: taken(), buffer };
};

const FILLED = { program: fillSockets as Program };

export const KERNEL_MEMORY: AttackGroup = {
  area: 'Memory of the host that no limit counts',
  attacks: [
    {
      id: 'memory-connections',
      title: 'connections that nobody reads hold little of it',
      promises: ['P10', 'P6'],
      attempt: FILLED,
      // Some bytes there must be: who filled nothing has shown nothing.
      judge: judgeAnswer(({ bytes }: Filled) =>
        heldIf(bytes > 0 && bytes <= MOST_BYTES, `at most ${MOST_BYTES} bytes`, String(bytes)),
      ),
    },
    {
      id: 'memory-buffers',
      title: 'no program sizes the buffers of its sockets',
      promises: ['P10', 'P6'],
      attempt: FILLED,
      judge: judgeAnswer(({ buffer }: Filled) =>
        heldIf(buffer === 'ERR_SOCKET_BUFFER_SIZE', 'ERR_SOCKET_BUFFER_SIZE', String(buffer)),
      ),
    },
  ],
};
