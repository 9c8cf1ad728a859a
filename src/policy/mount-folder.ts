import { realpath } from 'node:fs/promises';
import { LurkboxError, type Problem } from '../errors.ts';
import { quotePath } from '../printable.ts';
import { Folder } from '../storage/folder.ts';
import { PathError } from '../storage/path-error.ts';
import type { GrantedMount } from './grant.ts';
import { ENGINE_SOCKETS } from './mount-path.ts';
import { isPluginUid, type UidRange } from './uids.ts';

/**
 * The folders behind the mounts of one container, held open from when they were checked until they were compared with what is
 * bound: the engine resolves their paths once more, and somebody may put another folder there in between. While one is held
 * its inode is given to nothing else.
 */
export class MountFolders implements Disposable {
  readonly #held: readonly { readonly name: string; readonly folder: Folder }[];

  private constructor(held: readonly { readonly name: string; readonly folder: Folder }[]) {
    this.#held = held;
  }

  /** Right before they are used: since the policy was read, they may have been replaced. @throws LurkboxError `POLICY_INVALID` */
  static async open(mounts: readonly GrantedMount[], uids: UidRange): Promise<MountFolders> {
    const looks = await Promise.all(
      mounts.map(async ({ name, hostPath }) => ({ name, ...(await lookAt(hostPath, uids)) })),
    );
    const folders = new MountFolders(
      looks.flatMap(({ name, folder }) => (folder === null ? [] : [{ name, folder }])),
    );
    const problems = looks.flatMap(({ name, fault }) => (fault === null ? [] : [problemOf(name, fault)]));
    if (problems.length === 0) return folders;
    folders[Symbol.dispose]();
    throw changed(problems);
  }

  /** `bound`: by name, device and inode of what is bound in the container. @throws LurkboxError `POLICY_INVALID` */
  assertBound(bound: Readonly<Record<string, string>>): void {
    const problems = this.#held
      .filter(({ name, folder }) => !Object.hasOwn(bound, name) || bound[name] !== identityOf(folder))
      .map(({ name, folder }) =>
        problemOf(
          name,
          `another folder was bound than the one that was checked at ${quotePath(folder.path)}: somebody replaced it ` +
            'meanwhile, or the engine sees another file system than lurkbox does',
        ),
      );
    if (problems.length > 0) throw changed(problems);
  }

  /** Fine to call twice. */
  [Symbol.dispose](): void {
    for (const { folder } of this.#held) folder[Symbol.dispose]();
  }
}

/** What keeps a folder of the host from being bound; `null` when nothing does. */
export async function folderFault(path: string, uids: UidRange): Promise<string | null> {
  const { folder, fault } = await lookAt(path, uids);
  folder?.[Symbol.dispose]();
  return fault;
}

async function lookAt(
  path: string,
  uids: UidRange,
): Promise<{ folder: Folder | null; fault: string | null }> {
  try {
    const folder = await Folder.openResolvedLater(path);
    return { folder, fault: socketFault(folder, uids) };
  } catch (error) {
    return { folder: null, fault: await describe(error, path) };
  }
}

async function describe(error: unknown, path: string): Promise<string> {
  if (!(error instanceof PathError)) throw error;
  if (error.code === 'NOT_A_FOLDER') return 'is not a folder';
  if (error.code !== 'LINK') return `cannot be reached (${error.reason})`;
  const real = await realpath(path).catch(() => null);
  return real === null || real === path
    ? 'leads through a symbolic link'
    : `leads through a symbolic link to ${quotePath(real)}; write that path`;
}

function socketFault(folder: Folder, uids: UidRange): string | null {
  const socket = ENGINE_SOCKETS.find((name) => isForeignSocket(folder, name, uids));
  return socket === undefined ? null : `holds \`${socket}\`, the socket of an engine`;
}

function identityOf(folder: Folder): string {
  const { dev, ino } = folder.stats;
  return `${dev}:${ino}`;
}

function problemOf(name: string, message: string): Problem {
  return { path: `allow.mounts.${name}.path`, message };
}

function changed(problems: readonly Problem[]): LurkboxError {
  return new LurkboxError('POLICY_INVALID', 'A folder that the policy binds is not what it was.', {
    problems,
  });
}

// A plugin that may write there could give its own socket or file that name, and nobody could use the folder any more.
function isForeignSocket(folder: Folder, name: string, uids: UidRange): boolean {
  try {
    const stats = folder.statsOf(name);
    return stats?.isSocket() === true && !isPluginUid(Number(stats.uid), uids);
  } catch {
    return false;
  }
}
