import { existsSync, writeFileSync } from 'node:fs';
import { tryAll } from './attempt.mjs';

export async function execute() {
  const answers = await tryAll({
    localtime: () => writeFileSync('/etc/localtime', 'x'),
    clock: () => writeFileSync('/dev/rtc0', 'x', { flag: 'r+' }),
    driver: () => writeFileSync('/sys/class/rtc/rtc0/wakealarm', '1', { flag: 'r+' }),
  });
  return {
    ...answers,
    zone: Intl.DateTimeFormat().resolvedOptions().timeZone,
    offset: new Date().getTimezoneOffset(),
    files: [
      '/etc/localtime',
      '/etc/timezone',
      '/etc/machine-id',
      '/var/lib/dbus/machine-id',
      '/etc/os-release',
    ].filter((path) => existsSync(path)),
    language: process.env.LANG,
  };
}
