import type { Attempt } from '../attack.ts';

/** What the attacker finds when it looks around. Fields that could not be read hold the error as a text. */
export interface Survey {
  /** `/proc/self/task/<id>/status` of every thread, a worker's among them. */
  readonly threads: readonly Readonly<Record<string, string>>[];
  readonly ids: { readonly uid: number; readonly gid: number; readonly groups: readonly number[] };
  readonly env: Readonly<Record<string, string>>;
  /** Names in the environment that the process was started with. */
  readonly environ: readonly string[];
  /** Where the descriptors lead. */
  readonly descriptors: readonly string[];
  readonly mounts: readonly Mount[];
  readonly devices: readonly string[];
  readonly processes: readonly string[];
  readonly cgroups: readonly string[];
  /** Those that are up, and all that there are. */
  readonly interfaces: readonly string[];
  readonly networkDevices: readonly string[];
  readonly routes: readonly string[];
  /** Paths and abstract names of the Unix sockets that can be seen. */
  readonly unixSockets: readonly string[];
  /** Name → soft limit. */
  readonly limits: Readonly<Record<string, string>>;
  /** Files that may be executed and are no library, and files that change who one is. */
  readonly programs: readonly string[];
  readonly privileged: readonly string[];
  /** How many folders a file was tried to be made in, and in which it was. */
  readonly foldersTried: number;
  readonly writable: readonly string[];
}

export interface Mount {
  readonly path: string;
  readonly options: readonly string[];
  readonly type: string;
}

const lookAround = async (): Promise<Survey> => {
  const fs = process.getBuiltinModule('node:fs');
  const os = process.getBuiltinModule('node:os');
  const { Worker } = process.getBuiltinModule('node:worker_threads');

  const tell = <T>(look: () => T): T => {
    try {
      return look();
    } catch (error) {
      return String(error) as T;
    }
  };
  const lines = (path: string): string[] => fs.readFileSync(path, 'utf8').split('\n').filter(Boolean);

  const worker = new Worker('setInterval(() => {}, 1000)', { eval: true });
  await new Promise((resolve) => worker.once('online', resolve));
  const threads = tell(() =>
    fs
      .readdirSync('/proc/self/task')
      .map((id) =>
        Object.fromEntries(lines(`/proc/self/task/${id}/status`).map((line) => line.split(/:\s*/))),
      ),
  );

  const mounts = tell(() =>
    lines('/proc/self/mountinfo').map((line) => {
      const [left = '', right = ''] = line.split(' - ');
      const [, , , , path = '', options = ''] = left.split(' ');
      return { path, options: options.split(','), type: right.split(' ')[0] ?? '' };
    }),
  );

  const limits = tell(() =>
    Object.fromEntries(
      lines('/proc/self/limits').map((line) => [
        line.slice(0, 26).trim(),
        line.slice(26).split(/\s/)[0] ?? '',
      ]),
    ),
  );

  const programs: string[] = [];
  const privileged: string[] = [];
  const writable: string[] = [];
  let foldersTried = 0;
  const visitFile = (path: string): void => {
    const { mode, size } = fs.lstatSync(path);
    const isInKernel = /^\/(proc|sys|dev)\//.test(path);
    if (mode & 0o6000 && !isInKernel) privileged.push(path);
    const isLibrary = /\/lib[^/]*\.so\.\d+$/.test(path);
    if (mode & 0o111 && size > 0 && !isInKernel && !isLibrary && !fs.lstatSync(path).isSymbolicLink())
      programs.push(path);
  };
  const visitFolder = (folder: string): void => {
    foldersTried++;
    const file = `${folder}/lurkbox-was-here`;
    try {
      fs.closeSync(fs.openSync(file, 'w'));
      fs.unlinkSync(file);
      writable.push(folder || '/');
    } catch {}
    let entries: import('node:fs').Dirent[] = [];
    try {
      entries = fs.readdirSync(folder || '/', { withFileTypes: true });
    } catch {}
    for (const entry of entries) {
      const path = `${folder}/${entry.name}`;
      // The folders of processes come and go while they are read.
      if (!entry.isDirectory()) tell(() => visitFile(path));
      else if (!/^\/proc\/(\d+|self|thread-self)$/.test(path)) visitFolder(path);
    }
  };
  visitFolder('');

  return {
    threads,
    ids: tell(() => ({
      uid: process.getuid?.() ?? -1,
      gid: process.getgid?.() ?? -1,
      groups: process.getgroups?.() ?? [],
    })),
    env: tell(() => ({ ...process.env }) as Record<string, string>),
    environ: tell(() =>
      fs
        .readFileSync('/proc/1/environ', 'utf8')
        .split('\0')
        .filter(Boolean)
        .map((line) => line.split('=')[0] ?? ''),
    ),
    descriptors: tell(() =>
      fs.readdirSync('/proc/self/fd').flatMap((fd) => {
        try {
          return [fs.readlinkSync(`/proc/self/fd/${fd}`)];
        } catch {
          return []; // the one that `readdirSync` had open
        }
      }),
    ),
    mounts,
    devices: tell(() => fs.readdirSync('/dev')),
    processes: tell(() => fs.readdirSync('/proc').filter((name) => /^\d+$/.test(name))),
    cgroups: tell(() => lines('/proc/self/cgroup')),
    interfaces: tell(() => Object.keys(os.networkInterfaces())),
    networkDevices: tell(() => fs.readdirSync('/sys/class/net')),
    routes: tell(() =>
      lines('/proc/net/route')
        .slice(1)
        .map((line) => line.trim().replaceAll('\t', ' ')),
    ),
    unixSockets: tell(() =>
      lines('/proc/net/unix')
        .slice(1)
        .map((line) => line.trim().split(/\s+/)[7] ?? '')
        .filter(Boolean),
    ),
    limits,
    programs,
    privileged,
    foldersTried,
    writable,
  };
};

/** One execution for everything that is judged by looking. */
export const SURVEY: Attempt = { program: lookAround };
