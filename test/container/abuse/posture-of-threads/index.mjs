import { readdirSync, readFileSync } from 'node:fs';
import { Worker } from 'node:worker_threads';

const LINES = /^(Uid|Gid|Groups|CapInh|CapPrm|CapEff|CapBnd|CapAmb|NoNewPrivs|Seccomp|NSpid):\s*(.*?)\s*$/gm;

export async function execute() {
  const worker = new Worker('setInterval(() => {}, 1000)', { eval: true });
  await new Promise((resolve) => worker.once('online', resolve));
  const postures = readdirSync('/proc/self/task').map((id) => {
    const status = readFileSync(`/proc/self/task/${id}/status`, 'utf8').replace(/^NSpid.*$/m, '');
    return [...status.matchAll(LINES)]
      .map(([, name, value]) => `${name} ${value.replaceAll('\t', ' ')}`)
      .join(', ');
  });
  return { threads: postures.length > 7, postures: [...new Set(postures)] };
}
