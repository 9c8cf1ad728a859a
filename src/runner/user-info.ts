import { syncBuiltinESMExports } from 'node:module';
import os from 'node:os';

/** What `/etc/passwd` of the image says of the one user that is in it. */
const USER = { username: 'plugin', homedir: '/tmp', shell: '/nonexistent' };

/**
 * Has `os.userInfo()` answer. Each plugin has a user id of its own, which no file of the image can name: a file with all of
 * them would be read twice at each start of a container, and Node throws for a user without a line.
 */
export function nameUser(): void {
  const original = os.userInfo;
  const [uid, gid] = [process.getuid?.() ?? -1, process.getgid?.() ?? -1];
  const ofBuffers = Object.fromEntries(Object.entries(USER).map(([key, text]) => [key, Buffer.from(text)]));
  const userInfo = (options?: os.UserInfoOptions): object => {
    try {
      return original(options as os.UserInfoOptions);
    } catch (error) {
      if ((error as { info?: { code?: unknown } }).info?.code !== 'ENOENT') throw error;
      return { uid, gid, ...(options?.encoding === 'buffer' ? ofBuffers : USER) };
    }
  };
  os.userInfo = userInfo as typeof os.userInfo;
  syncBuiltinESMExports();
}
