import { networkInterfaces } from 'node:os';
import { attempt, knock } from './attempt.mjs';

const NAMES = [
  'localhost',
  'host.docker.internal',
  'gateway.docker.internal',
  'host.containers.internal',
  'host.lima.internal',
];
const GATEWAYS = [
  '172.17.0.1',
  '172.18.0.1',
  '192.168.65.1',
  '192.168.65.2',
  '192.168.65.7',
  '10.0.2.2',
  '192.168.5.2',
  '100.64.0.1',
];

export async function execute({ inputData: { lures } }) {
  const hosts = [...lures.addresses.filter((address) => address !== '127.0.0.1'), ...GATEWAYS];
  const codes = await Promise.all(hosts.map((host) => attempt(() => knock({ host, port: lures.port }))));
  const names = await Promise.all(NAMES.map((host) => attempt(() => knock({ host, port: lures.port }))));
  return {
    codes: [...new Set(codes)].sort().join(),
    names: [...new Set(names)].sort().join(),
    loopback: await attempt(() => knock({ host: '127.0.0.1', port: lures.port })),
    interfaces: Object.keys(networkInterfaces()),
  };
}
