import { mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { attempt } from './attempt.mjs';

const ROOT = '/sys/fs/cgroup';
const FILES = [
  'release_agent',
  'notify_on_release',
  'cgroup.procs',
  'cgroup.subtree_control',
  'cgroup.kill',
  'cgroup.freeze',
  'tasks',
  'devices.allow',
  'memory.limit_in_bytes',
  'memory.max',
  'pids.max',
  'cpu.cfs_quota_us',
  'cpu.max',
  'memory.oom_control',
];

export async function execute() {
  const controllers = readdirSync(ROOT, { withFileTypes: true }).filter((entry) => entry.isDirectory());
  const folders = [ROOT, ...controllers.map(({ name }) => `${ROOT}/${name}`)];
  const codes = [];
  for (const folder of folders) {
    codes.push(await attempt(() => mkdirSync(`${folder}/escape`)));
    for (const file of FILES)
      codes.push(await attempt(() => writeFileSync(`${folder}/${file}`, '1', { flag: 'r+' })));
  }
  return { codes: [...new Set(codes)].sort().join(), folders: folders.length > 0 };
}
