import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { tryAll } from './attempt.mjs';

export function execute({ inputData: { lures } }) {
  const targets = [
    '/etc/shadow',
    '/root/.ssh/id_rsa',
    '/var/run/docker.sock',
    '/var/lib/docker',
    lures.canaryFile,
    '/etc/os-release',
  ];
  mkdirSync('/tmp/deep/er', { recursive: true });
  const attempts = targets.flatMap((target, index) => {
    symlinkSync(target, `/tmp/absolute-${index}`);
    symlinkSync(`../../../../../../../..${target}`, `/tmp/deep/er/relative-${index}`);
    symlinkSync(`/proc/self/root${target}`, `/tmp/through-proc-${index}`);
    return [`/tmp/absolute-${index}`, `/tmp/deep/er/relative-${index}`, `/tmp/through-proc-${index}`].flatMap(
      (link) => [
        [`read ${link}`, () => readFileSync(link)],
        [`write ${link}`, () => writeFileSync(link, 'overwritten')],
      ],
    );
  });
  return tryAll(Object.fromEntries(attempts)).then((answers) =>
    [...new Set(Object.values(answers))].sort().join(),
  );
}
