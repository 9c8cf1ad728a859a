import {
  chmodSync,
  linkSync,
  mkdirSync,
  readFileSync,
  renameSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:net';
import { tryAll } from './attempt.mjs';

const SHARED = '/mnt/shared';
let server;

export function execute({ inputData: { lures, secret } }) {
  const through = (target) => () => {
    const link = `${SHARED}/link-${encodeURIComponent(target)}`;
    symlinkSync(target, link);
    writeFileSync(link, 'overwritten');
    return readFileSync(link, 'utf8');
  };
  return tryAll({
    secret: through(secret),
    canary: through(lures.canaryFile),
    shadow: through('/etc/shadow'),
    above: through('../../../../../../etc/shadow'),
    hardlink: () => linkSync('/etc/passwd', `${SHARED}/passwd`),
    mountPoint: () => renameSync(SHARED, '/mnt/other'),
    replaceIt: () => symlinkSync('/', `${SHARED}/../shared`),
    setuid: () => {
      writeFileSync(`${SHARED}/setuid`, '#!/bin/sh\nid');
      chmodSync(`${SHARED}/setuid`, 0o4755);
    },
    odd: () => mkdirSync(`${SHARED}/a\nb\x1b[2J`),
    socket: () =>
      new Promise((resolve, reject) => {
        server = createServer()
          .once('error', reject)
          .listen(`${SHARED}/docker.sock`, () => resolve(`${server.listening}`));
      }),
  });
}
