import { createSocket } from 'node:dgram';
import { tryAll } from './attempt.mjs';

export async function execute({ inputData: { lures } }) {
  const send =
    (address, type = 'udp4', prepare = () => {}) =>
    () =>
      new Promise((resolve, reject) => {
        const socket = createSocket(type);
        socket.once('error', reject);
        socket.bind(0, () => {
          try {
            prepare(socket);
          } catch (error) {
            reject(error);
            return;
          }
          socket.send('planted', lures.port, address, (error) => (error ? reject(error) : resolve()));
        });
      });
  const hosts = Object.fromEntries(
    lures.addresses.filter((address) => address !== '127.0.0.1').map((address) => [address, send(address)]),
  );
  return tryAll({
    ...hosts,
    everybody: send('255.255.255.255', 'udp4', (socket) => socket.setBroadcast(true)),
    bridge: send('172.17.255.255', 'udp4', (socket) => socket.setBroadcast(true)),
    group: send('239.255.255.250', 'udp4', (socket) => socket.setMulticastTTL(8)),
    allNodes: send('ff02::1', 'udp6'),
    mdns: send('224.0.0.251'),
    gateway: send('172.17.0.1'),
    ipv6: send('2001:db8::1', 'udp6'),
  });
}
