import { readFileSync } from 'node:fs';

/** Where a host keeps its users and groups, and the ranges that it has lent to them. */
const ACCOUNT_FILES = ['/etc/passwd', '/etc/group'];
const LENT_FILES = ['/etc/subuid', '/etc/subgid'];

/**
 * Whether a user or a group of this host has a number, or lends it out. Accounts of a directory such as LDAP are in none of
 * these files, and neither are those of another host that the engine is on.
 */
export function readHostAccounts(read: (file: string) => string = readOrNothing): (id: number) => boolean {
  const ids = new Set(ACCOUNT_FILES.flatMap((file) => linesOf(read(file)).map(([, , id]) => Number(id))));
  const own = [process.getuid?.(), process.getgid?.()];
  for (const id of own) if (id !== undefined) ids.add(id);
  const lent = LENT_FILES.flatMap((file) =>
    linesOf(read(file)).map(([, first, count]) => ({
      first: Number(first),
      end: Number(first) + Number(count),
    })),
  );
  return (id) => ids.has(id) || lent.some(({ first, end }) => id >= first && id < end);
}

function linesOf(text: string): string[][] {
  return text
    .split('\n')
    .filter((line) => line !== '' && !line.startsWith('#'))
    .map((line) => line.split(':'));
}

function readOrNothing(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return '';
  }
}
