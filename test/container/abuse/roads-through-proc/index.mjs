import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { tryAll } from './attempt.mjs';

export async function execute({ inputData: { lures } }) {
  const roads = [
    '/proc/1/root',
    '/proc/self/root',
    '/proc/1/cwd',
    '/proc/thread-self/root',
    '/proc/self/root/../..',
    '/proc/1/task/1/root',
  ];
  const codes = await Promise.all(
    roads.flatMap((road) =>
      [lures.canaryFile, '/etc/shadow', '/root/.ssh', '/var/run/docker.sock'].map((file) =>
        tryAll({ [road + file]: () => readFileSync(road + file) }),
      ),
    ),
  );
  const names = readdirSync('/').sort();
  return {
    codes: [...new Set(codes.flatMap(Object.values))].sort(),
    sameRoot: roads
      .filter((road) => !road.endsWith('cwd'))
      .every((road) => readdirSync(road).sort().join() === names.join()),
    root: readlinkSync('/proc/1/root'),
    processes: readdirSync('/proc').filter((name) => /^\d+$/.test(name)),
  };
}
