import * as fs from 'node:fs';
import { quote } from './channel.ts';

/**
 * What is mounted below a folder, as JSON from name to `<device>:<inode>`; `null` when nothing is. The host compares it with
 * what it had checked. Only before any code of a plugin is loaded.
 */
export function tellMounts(folder: string): string | null {
  if (!fs.existsSync(folder)) return null;
  const told = new Set<string>();
  for (const line of fs.readFileSync('/proc/self/mountinfo', 'utf8').split('\n')) {
    // The fifth field is where something is mounted (proc(5)).
    const path = line.split(' ')[4] ?? '';
    const name = path.slice(folder.length + 1);
    if (!path.startsWith(`${folder}/`) || name.includes('/')) continue;
    const { dev, ino } = fs.statSync(path, { bigint: true });
    told.add(`${quote(name)}:${quote(`${dev}:${ino}`)}`);
  }
  return told.size === 0 ? null : `{${[...told].join(',')}}`;
}
