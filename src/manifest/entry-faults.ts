import { isPlainText } from '../printable.ts';
import type { Entry } from '../storage/entries.ts';

/** Why an entry of a plugin folder is refused, and what to do. */
export const NOTHING_VENDORED =
  'is not there or empty, and `dependencies` is "vendored"; run `npm install` in the folder, or name the packages in `dependencies`';
export const LINK_TOO_LONG = 'is a symbolic link that leads over too long a way';
export const HARD_LINK = 'has another name elsewhere (a hard link); copy the file';

/** The problem of a file in `node_modules`, and of `others` more that have the same one. */
export function hardLinkOfAStore(others: number): string {
  const too = others === 0 ? '' : `, and so have ${others} others there`;
  return `has another name outside of \`node_modules\` (a hard link)${too}; have pnpm copy (\`pnpm install --config.package-import-method=copy\`), or copy the folder`;
}

/** What is wrong with the name of an entry; `null`: nothing. */
export function nameFault(name: Buffer): string | null {
  const text = name.toString();
  if (!Buffer.from(text).equals(name)) return 'the name is not valid UTF-8; rename it';
  if (!isPlainText(text)) return 'the name has a control or invisible character; rename it';
  if (text.includes('\\')) return 'the name has a backslash; rename it';
  if (text.startsWith('.wh.')) return 'the name would delete another file in an image layer; rename it';
  return null;
}

export function kindFault(kind: Entry['kind']): string | null {
  if (kind === 'folder' || kind === 'file') return null;
  return kind === 'link'
    ? 'is a symbolic link; a plugin folder may hold files and folders only'
    : 'is a pipe, socket or device; a plugin folder may hold files and folders only';
}
