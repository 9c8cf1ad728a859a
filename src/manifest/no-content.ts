import type { Entry } from '../storage/entries.ts';

/** Names that systems and editors make beside what an author writes; nothing that they name is part of a plugin. */
export interface NoContentRule {
  /** The names, as the docs show them. */
  readonly names: readonly string[];
  readonly pattern: RegExp;
  /** `file` is everything but a folder: editors lock files with links that lead nowhere. */
  readonly kind: 'file' | 'folder' | 'any';
  /** `top`: further down an author may mean it, as in templates of a project. */
  readonly where: 'anywhere' | 'top';
  readonly from: string;
}

/** Short on purpose: a name that an author could mean is content, and so is everything that is not named here. */
export const NO_CONTENT: readonly NoContentRule[] = [
  {
    names: ['.DS_Store', '._*', 'Icon\\r'],
    pattern: /^(?:\.DS_Store|\._.*|Icon\r)$/s,
    kind: 'file',
    where: 'anywhere',
    from: 'Finder of macOS',
  },
  {
    names: ['__MACOSX', '.AppleDouble', '.Spotlight-V100', '.Trashes', '.fseventsd', '.TemporaryItems'],
    pattern: /^(?:__MACOSX|\.AppleDouble|\.Spotlight-V100|\.Trashes|\.fseventsd|\.TemporaryItems)$/,
    kind: 'folder',
    where: 'anywhere',
    from: 'macOS and its archives',
  },
  {
    names: ['Thumbs.db', 'ehthumbs.db', 'desktop.ini'],
    pattern: /^(?:(?:eh)?thumbs\.db|desktop\.ini)$/i,
    kind: 'file',
    where: 'anywhere',
    from: 'Explorer of Windows',
  },
  {
    names: ['$RECYCLE.BIN', 'System Volume Information', 'lost+found', '.Trash-<uid>'],
    pattern: /^(?:\$RECYCLE\.BIN|System Volume Information|lost\+found|\.Trash-\d+)$/,
    kind: 'folder',
    where: 'top',
    from: 'file systems, at their root',
  },
  {
    names: ['.nfs<24 digits>', '.fuse_hidden*'],
    pattern: /^\.(?:nfs[0-9a-f]{24}|fuse_hidden.+)$/s,
    kind: 'file',
    where: 'anywhere',
    from: 'network file systems, for open files that were removed',
  },
  {
    names: ['*~', '#*#', '.#*', '.*.sw?', '.sw?', '.goutputstream-*', '*___jb_tmp___', '*___jb_old___'],
    pattern: /^(?:.*~|#.*#|\.#.*|\.(?:.*\.)?sw[a-z]|\.goutputstream-.*|.*___jb_(?:tmp|old)___)$/s,
    kind: 'file',
    where: 'anywhere',
    from: 'editors, while a file is open or saved',
  },
  {
    names: ['.git', '.hg', '.svn', '.jj'],
    pattern: /^\.(?:git|hg|svn|jj)$/,
    kind: 'any',
    where: 'anywhere',
    from: 'version control',
  },
  {
    names: ['.idea', '.vscode', '.vs'],
    pattern: /^\.(?:idea|vscode|vs)$/,
    kind: 'folder',
    where: 'top',
    from: 'settings of editors',
  },
  {
    names: ['npm-debug.log*', 'yarn-error.log*'],
    pattern: /^(?:npm-debug|yarn-error)\.log.*$/s,
    kind: 'file',
    where: 'top',
    from: 'package managers that failed',
  },
];

/** Whether something in a plugin folder is part of the plugin, by its name alone. */
export function isContent(
  name: string,
  { kind, isAtTop }: { readonly kind: Entry['kind']; readonly isAtTop: boolean },
): boolean {
  const shape = kind === 'folder' ? 'folder' : 'file';
  return !NO_CONTENT.some(
    (rule) =>
      (rule.kind === 'any' || rule.kind === shape) &&
      (rule.where === 'anywhere' || isAtTop) &&
      rule.pattern.test(name),
  );
}

/** The same for a path in a plugin folder, with `/`: nothing in a folder of these names is content. */
export function isContentPath(path: string, kind: 'folder' | 'file' = 'file'): boolean {
  if (path === '') return true;
  const names = path.split('/');
  return names.every((name, index) => {
    const isLast = index === names.length - 1;
    return isContent(name, { kind: isLast ? kind : 'folder', isAtTop: index === 0 });
  });
}
