import { closeSync, openSync, readdirSync } from 'node:fs';

const NAMED = [
  '/proc/sysrq-trigger',
  '/proc/sys/kernel/core_pattern',
  '/proc/sys/kernel/modprobe',
  '/proc/sys/kernel/hostname',
  '/proc/sys/kernel/hotplug',
  '/proc/sys/kernel/randomize_va_space',
  '/proc/sys/fs/binfmt_misc/register',
  '/proc/sys/vm/panic_on_oom',
  '/proc/sys/vm/overcommit_memory',
  '/proc/sys/net/ipv4/ip_forward',
  '/proc/irq/default_smp_affinity',
  '/proc/mtrr',
  '/sys/kernel/uevent_helper',
  '/sys/kernel/mm/transparent_hugepage/enabled',
  '/sys/power/state',
  '/sys/kernel/security/apparmor/.load',
];

export function execute() {
  const opened = [];
  let tried = 0;
  const visit = (path) => {
    for (const entry of entriesOf(path)) {
      const child = `${path}/${entry.name}`;
      if (entry.isDirectory()) visit(child);
      else if (entry.isFile() && ++tried && canWrite(child)) opened.push(child);
    }
  };
  for (const path of [
    '/proc/sys',
    '/proc/irq',
    '/proc/bus',
    '/proc/fs',
    '/proc/scsi',
    '/sys/kernel',
    '/sys/module',
    '/sys/fs',
  ])
    visit(path);
  return { named: NAMED.filter(canWrite), opened: opened.slice(0, 50), many: tried > 500 };
}

function entriesOf(path) {
  try {
    return readdirSync(path, { withFileTypes: true });
  } catch {
    return [];
  }
}

function canWrite(path) {
  try {
    closeSync(openSync(path, 'r+'));
    return true;
  } catch {
    try {
      closeSync(openSync(path, 'w'));
      return true;
    } catch {
      return false;
    }
  }
}
