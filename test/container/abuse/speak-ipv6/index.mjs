import { readFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { networkInterfaces } from 'node:os';
import { attempt, knock, tryAll } from './attempt.mjs';

export async function execute({ inputData: { lures } }) {
  const addresses = Object.values(networkInterfaces())
    .flat()
    .filter(({ family }) => family === 'IPv6')
    .map(({ address }) => address);
  const answers = await tryAll({
    global: () => knock({ host: '2001:4860:4860::8888', port: 53 }),
    linkLocal: () => knock({ host: 'fe80::1%lo', port: lures.port }),
    routers: () => knock({ host: 'ff02::2', port: lures.port }),
    uniqueLocal: () => knock({ host: 'fd00::1', port: lures.port }),
    mapped: () => knock({ host: `::ffff:${lures.addresses.at(-1)}`, port: lures.port }),
  });
  const routes = await attempt(() =>
    readFileSync('/proc/net/ipv6_route', 'utf8')
      .split('\n')
      .filter((line) => line !== '' && !/ lo$/.test(line))
      .join(),
  );
  createServer().listen(0, '::');
  return { ...answers, routes, beyond: addresses.filter((address) => address !== '::1') };
}
