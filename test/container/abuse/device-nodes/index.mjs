import { closeSync, openSync, readdirSync, writeFileSync } from 'node:fs';
import { tryAll } from './attempt.mjs';

const USUAL = [
  'core',
  'fd',
  'full',
  'mqueue',
  'null',
  'ptmx',
  'pts',
  'random',
  'stderr',
  'stdin',
  'stdout',
  'tty',
  'urandom',
  'zero',
];
const DEVICES = [
  'sda',
  'vda',
  'nvme0n1',
  'loop0',
  'loop-control',
  'mapper/control',
  'dm-0',
  'kmsg',
  'mem',
  'port',
  'fuse',
  'kvm',
  'vhost-net',
  'vhost-vsock',
  'vsock',
  'net/tun',
  'userfaultfd',
  'uinput',
  'input/event0',
  'dri/card0',
  'snapshot',
  'hwrng',
  'rtc0',
  'cpu/0/msr',
  'btrfs-control',
  'nbd0',
  'ttyS0',
  'tty0',
  'console',
  'shm',
  'hugepages',
  'bus/usb/001/001',
];

export async function execute() {
  const opened = await tryAll(
    Object.fromEntries(DEVICES.map((name) => [name, () => closeSync(openSync(`/dev/${name}`, 'r'))])),
  );
  const made = await tryAll({
    inDev: () => writeFileSync('/dev/x', ''),
    behindFd: () => writeFileSync('/dev/fd/x', ''),
    shm: () => writeFileSync('/dev/shm/x', ''),
    mqueue: () => writeFileSync('/dev/mqueue/x', ''),
    pts: () => writeFileSync('/dev/pts/x', ''),
  });
  const codes = (answers) => [...new Set(Object.values(answers))].sort().join();
  return {
    opened: codes(opened),
    made: codes(made),
    others: readdirSync('/dev').filter((name) => !USUAL.includes(name)),
  };
}
