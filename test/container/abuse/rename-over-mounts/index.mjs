import { mkdirSync, renameSync, rmdirSync, symlinkSync, unlinkSync, writeFileSync } from 'node:fs';
import { tryAll } from './attempt.mjs';

export function execute() {
  writeFileSync('/tmp/file', 'x');
  mkdirSync('/tmp/folder');
  return tryAll({
    tmpAway: () => renameSync('/tmp', '/tmp2'),
    tmpIntoItself: () => renameSync('/tmp', '/tmp/folder/tmp'),
    intoScratch: () => renameSync('/tmp/file', '/scratch/file'),
    removeTmp: () => rmdirSync('/tmp'),
    removeProc: () => rmdirSync('/proc'),
    hostname: () => unlinkSync('/etc/hostname'),
    resolver: () => renameSync('/tmp/file', '/etc/resolv.conf'),
    overPlugin: () => renameSync('/tmp/folder', '/plugin'),
    overNull: () => renameSync('/tmp/file', '/dev/null'),
    overMasked: () => unlinkSync('/proc/kcore'),
    linkForProc: () => symlinkSync('/tmp', '/proc/self/root/proc2'),
  });
}
