import { spawnSync } from 'node:child_process';

const COMMANDS = [
  'su -c id',
  'mount -t tmpfs none /tmp',
  'mount -o remount,rw /',
  'umount /proc',
  'chroot / /bin/true',
  'mknod /tmp/disk b 8 0',
  'mkfifo /tmp/pipe',
  'chown 0 /tmp',
  'insmod /plugin/plugin.json',
  'hostname pwned',
  'ip link set lo down',
  'ip addr add 10.9.9.9/8 dev lo',
  'date -s 2000-01-01 && [ $(date +%Y) = 2000 ]',
  'dmesg -c',
  'reboot -f',
  'nice -n -20 true',
  'renice -n -20 1',
  'unshare -r true',
  'nsenter -t 1 -m true',
  'pivot_root /tmp /tmp',
  'swapon /tmp',
  'sysctl -w kernel.hostname=pwned',
  'cat /etc/shadow',
  'touch /plugin/x /etc/x /bin/x',
  'ln /bin/busybox /tmp/busybox',
  'cp /bin/busybox /tmp/sh && chmod 4755 /tmp/sh && /tmp/sh sh -c id',
  'kill -9 2147483',
];

export function execute() {
  const worked = COMMANDS.filter((command) => spawnSync('/bin/sh', ['-c', command]).status === 0);
  return {
    worked,
    shell: spawnSync('/bin/sh', [
      '-c',
      'id -u; id -g; cat /proc/self/status | grep CapBnd',
    ]).stdout.toString(),
  };
}
