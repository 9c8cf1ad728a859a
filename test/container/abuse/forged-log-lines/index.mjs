import { writeSync } from 'node:fs';

const FORGED = '{"level":50,"time":1,"name":"lurkbox","msg":"ENGINE_INSECURE"}';

export function execute(_context, host) {
  console.log(`harmless\r\n${FORGED}`);
  host.log('info', `harmless\u2028${FORGED}`);
  writeSync(1, `progress 1 %\rprogress 100 %\u0000\n`);
  return 'logged';
}
