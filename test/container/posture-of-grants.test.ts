import { existsSync, readdirSync, readFileSync, readlinkSync, statSync } from 'node:fs';
import Docker from 'dockerode';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { connectEngine } from '../../src/engine/docker/connect.ts';
import { type HeldPlugin, holdOpen } from '../helpers/held-plugin.ts';
import { parseLimits, parseMounts, parseStatus, readCgroupLimits, readNamespaces } from '../helpers/proc.ts';
import {
  createPlugin,
  createSharedFolder,
  type SharedFolder,
  type TestPlugin,
} from '../helpers/workspace.ts';

/** Numbers that are nobody's default, so that they can only come from the grant. */
const RESOURCES = {
  memory_mb: 128,
  cpu_percent: 70,
  timeout_seconds: 20,
  pids: 40,
  tmp_mb: 8,
};
const MIB = 1024 * 1024;

interface GrantCase {
  readonly permissions?: object;
  readonly resources?: object;
  readonly allow?: object;
  readonly exec?: boolean;
  readonly network?: 'none' | 'bridge';
  /** Mount points that others do not have. */
  readonly mounts?: Readonly<Record<string, string>>;
  /** The largest file, which is the largest tmpfs. */
  readonly fileBytes?: number;
}

const NETWORK_FILES = { '/etc/hosts': 'disk ro', '/etc/resolv.conf': 'disk ro' };
const TMPFS = 'tmpfs rw,nosuid,nodev,noexec';

const GRANTS: Readonly<Record<string, GrantCase>> = {
  nothing: {},
  exec: { permissions: { exec: true }, allow: { exec: true }, exec: true },
  scratch: {
    permissions: { filesystem: true },
    resources: { scratch_mb: 16 },
    mounts: { '/scratch': TMPFS },
    fileBytes: 16 * MIB,
  },
  bridge: {
    permissions: { network: true },
    allow: { bridge: true },
    network: 'bridge',
    mounts: NETWORK_FILES,
  },
  mounts: {
    permissions: { filesystem: { mounts: { data: 'ro', out: 'rw' } } },
    mounts: { '/mnt/data': 'disk ro', '/mnt/out': 'disk rw' },
  },
};

/** What a plugin finds out about its own container, when all of its threads are there. */
async function lookAround() {
  const fs = process.getBuiltinModule('node:fs');
  const { networkInterfaces } = process.getBuiltinModule('node:os');
  const { pbkdf2 } = process.getBuiltinModule('node:crypto');
  const { Worker } = process.getBuiltinModule('node:worker_threads');
  const { spawnSync } = process.getBuiltinModule('node:child_process');
  const worker = new Worker('setInterval(() => {}, 1000)', { eval: true });
  await new Promise((resolve) => worker.once('online', resolve));
  // Four at a time: every thread of libuv's pool has to start.
  const hashes = [1, 2, 3, 4].map(
    () => new Promise((resolve) => pbkdf2('password', 'salt', 20_000, 8, 'sha512', resolve)),
  );
  await Promise.all(hashes);
  const read = (path: string): string => {
    try {
      return fs.readFileSync(path, 'utf8');
    } catch (error) {
      return String((error as NodeJS.ErrnoException).code);
    }
  };
  const targetOf = (path: string): string | null => {
    try {
      return fs.readlinkSync(path);
    } catch {
      return null;
    }
  };
  const namesIn = (folder: string): string[] => fs.readdirSync(folder);
  return {
    threads: namesIn('/proc/self/task').map((id) => read(`/proc/self/task/${id}/status`)),
    child: spawnSync('/bin/cat', ['/proc/self/status']).stdout?.toString() ?? '',
    descriptors: namesIn('/proc/self/fd').map((fd) => targetOf(`/proc/self/fd/${fd}`)),
    firstDescriptors: Array.from({ length: 21 }, (_, fd) => targetOf(`/proc/self/fd/${fd}`)),
    mountinfo: read('/proc/self/mountinfo'),
    environment: read('/proc/self/environ').split('\0').filter(Boolean).sort(),
    limits: read('/proc/self/limits'),
    oomScoreAdj: read('/proc/self/oom_score_adj').trim(),
    cgroup: read('/proc/self/cgroup').trim().split('\n'),
    namespaces: Object.fromEntries(
      namesIn('/proc/self/ns').map((name) => [name, targetOf(`/proc/self/ns/${name}`)]),
    ),
    interfaces: Object.keys(networkInterfaces()),
    devicesOfNetwork: [...read('/proc/net/dev').matchAll(/^ *(\w+):/gm)].map(([, name]) => name),
    classOfNetwork: namesIn('/sys/class/net'),
    devices: namesIn('/dev').map((name) => {
      const { mode, rdev } = fs.lstatSync(`/dev/${name}`);
      const target = targetOf(`/dev/${name}`);
      return `${name} ${target ?? `${mode.toString(8)} ${Math.floor(rdev / 256)}:${rdev % 256}`}`;
    }),
    memory: [
      read('/sys/fs/cgroup/memory/memory.limit_in_bytes'),
      read('/sys/fs/cgroup/memory.max'),
      String(process.constrainedMemory()),
    ].map((text) => text.trim()),
    pids: [read('/sys/fs/cgroup/pids/pids.max'), read('/sys/fs/cgroup/pids.max')].map((text) => text.trim()),
    hostname: read('/proc/sys/kernel/hostname').trim(),
  };
}

const NONE = '0000000000000000';
const IDS = expect.stringMatching(/^([45]\d{4})(\t\1){3}$/);

/** Of every thread, wherever it is looked at from. */
const WITHOUT_RIGHTS = {
  Uid: IDS,
  Gid: IDS,
  Groups: expect.stringMatching(/^([45]\d{4})?$/),
  CapInh: NONE,
  CapPrm: NONE,
  CapEff: NONE,
  CapBnd: NONE,
  CapAmb: NONE,
  NoNewPrivs: '1',
  Seccomp: '2',
};

const USUAL_MOUNTS = {
  '/': 'disk ro',
  '/etc/hostname': 'disk ro',
  '/proc': 'proc rw,nosuid,nodev,noexec',
  '/sys': 'sysfs ro,nosuid,nodev,noexec',
  // Root's alone, mode 0755: nothing can be added.
  '/dev': 'tmpfs rw,nosuid',
  '/dev/pts': 'devpts rw,nosuid,noexec',
  // Of no use to a process that may have no bytes in message queues.
  '/dev/mqueue': 'mqueue rw,nosuid,nodev,noexec',
  '/tmp': TMPFS,
};

function cgroupMounts(pid: number): Record<string, string> {
  if (existsSync('/sys/fs/cgroup/cgroup.controllers')) {
    return { '/sys/fs/cgroup': 'cgroup2 ro,nosuid,nodev,noexec' };
  }
  const hierarchies = readFileSync(`/proc/${pid}/cgroup`, 'utf8')
    .trim()
    .split('\n')
    .map((line) => line.split(':')[1]?.replace('name=', '') ?? '')
    .filter((controllers) => controllers !== '');
  return {
    '/sys/fs/cgroup': 'tmpfs rw,nosuid,nodev,noexec',
    ...Object.fromEntries(
      hierarchies.map((controllers) => [`/sys/fs/cgroup/${controllers}`, 'cgroup ro,nosuid,nodev,noexec']),
    ),
  };
}

/** A folder is hidden under an empty one, a file under `/dev/null`. */
function maskOf(path: string): string {
  return statSync(path).isDirectory() ? 'tmpfs ro' : 'tmpfs rw,nosuid';
}

// What kind of disk these are on is up to the host.
function parseMountsOf(mountinfo: string): Record<string, string> {
  return Object.fromEntries(
    Object.entries(parseMounts(mountinfo)).map(([path, mount]) =>
      /^\/$|^\/(etc|mnt)\//.test(path) ? [path, mount.replace(/^\S+/, 'disk')] : [path, mount],
    ),
  );
}

/** What a security module of the host says of a process; without one, the error with which it says nothing. */
function readConfinement(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/attr/current`, 'utf8').trim();
  } catch (error) {
    return String((error as NodeJS.ErrnoException).code);
  }
}

describe.each(Object.keys(GRANTS))(
  'with the grant `%s` a container has this and no more, from inside and outside (P6)',
  (name) => {
    const grant: GrantCase = GRANTS[name] ?? {};
    const plugin = `posture-of-${name}`;
    let data: SharedFolder;
    let out: SharedFolder;
    let probe: TestPlugin;
    let held: HeldPlugin<Awaited<ReturnType<typeof lookAround>>>;

    beforeAll(async () => {
      data = await createSharedFolder();
      out = await createSharedFolder();
      probe = await createPlugin(
        plugin,
        {
          manifest: { permissions: grant.permissions ?? {}, resources: { ...RESOURCES, ...grant.resources } },
        },
        {
          policy: {
            allow: {
              ...grant.allow,
              mounts: { data: { path: data.path, mode: 'ro' }, out: { path: out.path, mode: 'rw' } },
            },
            plugins: { [plugin]: { allow: { mounts: ['data', 'out'] } } },
          },
        },
      );
      held = await holdOpen(probe, lookAround);
    });
    afterAll(async () => {
      await held?.[Symbol.asyncDispose]();
      await probe?.[Symbol.asyncDispose]();
      await data?.[Symbol.asyncDispose]();
      await out?.[Symbol.asyncDispose]();
    });

    test('no rights, and one filter of system calls, in every thread: workers, pools and children', () => {
      const threads = held.answer.threads.map(parseStatus);
      // Node's own, four of libuv, one worker.
      expect(threads.length).toBeGreaterThan(10);
      for (const thread of threads) expect(thread).toMatchObject({ ...WITHOUT_RIGHTS, Seccomp_filters: '1' });
      const child = grant.exec ? { ...WITHOUT_RIGHTS, Seccomp_filters: '1' } : {};
      expect(held.answer.child === '' ? {} : parseStatus(held.answer.child)).toMatchObject(child);
      expect(held.answer.child !== '').toBe(grant.exec ?? false);
    });

    test('the same rights and filters when the host looks', () => {
      const ids = readdirSync(`/proc/${held.pid}/task`);
      expect(ids).toHaveLength(held.answer.threads.length);
      for (const id of ids) {
        const status = parseStatus(readFileSync(`/proc/${held.pid}/task/${id}/status`, 'utf8'));
        expect(status).toMatchObject({ ...WITHOUT_RIGHTS, Seccomp_filters: '1', Tgid: String(held.pid) });
        // The last number is what the process itself sees.
        expect(status['NSpid']).toMatch(/^\d+\t\d+$/);
      }
      expect(parseStatus(readFileSync(`/proc/${held.pid}/status`, 'utf8'))['NSpid']).toBe(`${held.pid}\t1`);
      expect(readFileSync(`/proc/${held.pid}/comm`, 'utf8').trim()).not.toBe('');
      expect(readlinkSync(`/proc/${held.pid}/exe`)).toBe('/usr/local/bin/node');
    });

    test('these mounts and no other', async () => {
      const { HostConfig } = await new Docker().getContainer(held.containerId).inspect();
      const { MaskedPaths = [], ReadonlyPaths = [] } = HostConfig as Partial<Record<string, string[]>>;
      const expected = {
        ...USUAL_MOUNTS,
        ...cgroupMounts(held.pid),
        ...Object.fromEntries(
          ReadonlyPaths.filter(existsSync).map((path) => [path, 'proc ro,nosuid,nodev,noexec']),
        ),
        ...Object.fromEntries(MaskedPaths.filter(existsSync).map((path) => [path, maskOf(path)])),
        ...grant.mounts,
      };
      expect(parseMountsOf(held.answer.mountinfo)).toEqual(expected);
      expect(parseMountsOf(readFileSync(`/proc/${held.pid}/mountinfo`, 'utf8'))).toEqual(expected);
    });

    test('this environment', () => {
      const expected = [
        `HOSTNAME=${held.containerId.slice(0, 12)}`,
        'HOME=/tmp',
        'TMPDIR=/tmp',
        'LANG=C.UTF-8',
        'LD_LIBRARY_PATH=',
        'LD_PRELOAD=',
        'NODE_EXTRA_CA_CERTS=',
        'NODE_OPTIONS=',
        grant.exec ? 'PATH=/bin:/usr/local/bin' : 'PATH=/nonexistent',
        'TZ=UTC',
      ].sort();
      expect(held.answer.environment).toEqual(expected);
      const outside = readFileSync(`/proc/${held.pid}/environ`, 'utf8').split('\0').filter(Boolean).sort();
      expect(outside).toEqual(expected);
      expect(held.answer.hostname).toBe(held.containerId.slice(0, 12));
    });

    test('no descriptor of anything outside', () => {
      const { descriptors, firstDescriptors } = held.answer;
      const ours = /^(pipe:\[\d+\]|socket:\[\d+\]|anon_inode:\[(eventfd|eventpoll)\]|\/dev\/null)$/;
      // One of them is the folder that was being read.
      for (const target of descriptors.filter((each) => each !== null)) expect(target).toMatch(ours);
      for (const target of firstDescriptors.filter((each) => each !== null)) expect(target).toMatch(ours);
      for (const fd of readdirSync(`/proc/${held.pid}/fd`)) {
        expect(readlinkSync(`/proc/${held.pid}/fd/${fd}`)).toMatch(ours);
      }
    });

    test('these network devices', () => {
      const { interfaces, devicesOfNetwork, classOfNetwork } = held.answer;
      const expected = grant.network === 'bridge' ? ['eth0', 'lo'] : ['lo'];
      expect([interfaces, devicesOfNetwork, classOfNetwork].map((names) => names.toSorted())).toEqual([
        expected,
        expected,
        expected,
      ]);
    });

    test('the devices that every container has', () => {
      expect(held.answer.devices.toSorted()).toEqual([
        // Present only where the kernel dumps core into a file.
        ...held.answer.devices.filter((device) => device === 'core /proc/kcore'),
        'fd /proc/self/fd',
        'full 20666 1:7',
        'mqueue 41777 0:0',
        'null 20666 1:3',
        'ptmx pts/ptmx',
        'pts 40755 0:0',
        'random 20666 1:8',
        'stderr /proc/self/fd/2',
        'stdin /proc/self/fd/0',
        'stdout /proc/self/fd/1',
        'tty 20666 5:0',
        'urandom 20666 1:9',
        'zero 20666 1:5',
      ]);
    });

    test('these limits per process', () => {
      const fileBytes = grant.fileBytes ?? RESOURCES.tmp_mb * MIB;
      const expected = {
        // Twice 20 s at 70 %, and 30 s to start.
        'Max cpu time': '58 58',
        'Max file size': `${fileBytes} ${fileBytes}`,
        'Max core file size': '0 0',
        'Max open files': '256 256',
        'Max locked memory': '65536 65536',
        'Max msgqueue size': '0 0',
        'Max nice priority': '0 0',
        'Max realtime priority': '0 0',
      };
      expect(parseLimits(held.answer.limits)).toMatchObject(expected);
      expect(parseLimits(readFileSync(`/proc/${held.pid}/limits`, 'utf8'))).toMatchObject(expected);
      expect(held.answer.oomScoreAdj).toBe('500');
      expect(readFileSync(`/proc/${held.pid}/oom_score_adj`, 'utf8').trim()).toBe('500');
    });

    test('these limits for all of it together', () => {
      const memory = String(RESOURCES.memory_mb * MIB);
      expect(readCgroupLimits(held.pid)).toEqual({
        memory,
        memoryAndSwap: memory,
        pids: String(RESOURCES.pids),
        cpu: '70000 of 100000',
      });
      // One of the first two is the file of the other version of cgroups.
      expect(new Set(held.answer.memory)).toEqual(new Set([memory, 'ENOENT']));
      expect(new Set(held.answer.pids)).toEqual(new Set([String(RESOURCES.pids), 'ENOENT']));
      for (const line of held.answer.cgroup) expect(line).toMatch(/:\/$/);
    });

    test('namespaces that neither the host nor another container is in', () => {
      const own = readNamespaces('self');
      const seen = readNamespaces(held.pid);
      expect(held.answer.namespaces).toEqual(seen);
      const shared = Object.keys(own).filter((each) => own[each] === seen[each]);
      expect(shared.filter((each) => !/^(user|time)/.test(each))).toEqual([]);
      for (const each of ['cgroup', 'ipc', 'mnt', 'net', 'pid', 'uts']) expect(shared).not.toContain(each);
    });

    test('a user that is somebody on the host only by number, and the confinement that the host has', async () => {
      // Without a user namespace the number is the same outside: it must not be that of root.
      expect(statSync(`/proc/${held.pid}`).uid).toBeGreaterThan(999);
      const { apparmor } = await (await connectEngine()).facts();
      const confinement = readConfinement(held.pid);
      if (apparmor) expect(confinement).toBe('docker-default (enforce)');
      else expect(confinement).toMatch(/^(EINVAL|ENOENT|unconfined|.*:container_t:.*)$/);
    });
  },
);
