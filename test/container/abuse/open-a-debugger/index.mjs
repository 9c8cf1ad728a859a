import inspector from 'node:inspector';
import { networkInterfaces } from 'node:os';
import { knock, tryAll } from './attempt.mjs';

export async function execute({ inputData: { lures } }) {
  process.debugPort = 9333;
  inspector.open(9230, '0.0.0.0');
  const answers = await tryAll({
    itself: () => knock({ host: '127.0.0.1', port: 9230 }).then(() => 'an answer'),
    host: () => Promise.any(lures.addresses.map((host) => knock({ host, port: lures.port }))),
    byPid: () => process._debugProcess(2),
  });
  process.kill(process.pid, 'SIGUSR1');
  return { ...answers, interfaces: Object.keys(networkInterfaces()) };
}
