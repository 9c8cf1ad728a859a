import { BASELINE } from '../../policy/baseline.ts';
import { isInRange, PLUGIN_UIDS } from '../../policy/uids.ts';
import { type AttackGroup, all, heldIf, judgeAnswer, type PluginAttack, type Verdict } from '../attack.ts';
import { type Mount, SURVEY, type Survey } from './survey.ts';

/** What the attacker sees of its container. Everything it can see is judged; what it cannot do is for the others. */
const OF_A_PLUGIN = /^([1-9]\d{3,4})(\s+\1){3}$/;

export const POSTURE: AttackGroup = {
  area: 'What it sees of its container',
  attacks: [
    look('posture-rights', 'no thread has a capability, or the way to one', ({ threads }) =>
      all(
        heldIf(threads.length > 1, 'to see several threads', JSON.stringify(threads)),
        ...threads.map(judgeThread),
      ),
    ),
    look('posture-user', 'it is a user that owns nothing, in every thread', ({ ids }) =>
      heldIf(
        isInRange(ids.uid, PLUGIN_UIDS) &&
          ids.gid === ids.uid &&
          ids.groups.every((group) => group === ids.uid),
        'uid, gid and every group to be one number of plugins',
        JSON.stringify(ids),
      ),
    ),
    look('posture-environment', 'it inherits no variable of the orchestrator or the image', judgeEnvironment),
    look('posture-descriptors', 'it holds no descriptor of anything outside', ({ descriptors }) =>
      noneOf(
        descriptors.filter((target) => !DESCRIPTOR.test(target)),
        'only pipes, sockets, the loop and /dev/null',
      ),
    ),
    look('posture-mounts', 'it sees no folder of the host', ({ mounts }) =>
      noneOf(mounts.filter(isFromOutside), 'no mount but those of every container', showMount),
    ),
    look('posture-noexec', 'no place that it can write to lets machine code run', ({ mounts }) =>
      all(
        noneOf(mounts.filter(mayHoldPrograms), 'every writable mount to be noexec', showMount),
        heldIf(
          hasOptions(
            mounts.find(({ path }) => path === '/tmp'),
            'rw',
            'nosuid',
            'nodev',
            'noexec',
          ),
          '/tmp to be a mount of its own with nosuid, nodev and noexec',
          showMount(mounts.find(({ path }) => path === '/tmp')),
        ),
      ),
    ),
    look('posture-read-only', 'it can make a file nowhere but in /tmp', ({ writable, foldersTried }) =>
      heldIf(
        foldersTried > 20 && writable.join() === '/tmp',
        '/tmp to be the only folder of many that takes a file',
        `${writable.join(', ') || 'none'} of ${foldersTried}`,
      ),
    ),
    look('posture-programs', 'it finds no program but Node, and none that gives rights', (survey) =>
      all(
        noneOf(
          survey.programs.filter((path) => !PROGRAM.test(path)),
          'no program but Node and its loader',
        ),
        heldIf(survey.programs.length > 0, 'to find Node at least', 'nothing'),
        noneOf(survey.privileged, 'no file that is setuid or setgid'),
      ),
    ),
    look(
      'posture-devices',
      'it has only the devices of every container, and no shared memory',
      ({ devices }) =>
        all(
          heldIf(devices.includes('null'), 'to see the devices', devices.join(', ')),
          noneOf(
            devices.filter((name) => !DEVICES.has(name)),
            'no other device, and no /dev/shm',
          ),
        ),
    ),
    look('posture-alone', 'it sees no process but itself, and no cgroup above its own', (survey) =>
      all(
        heldIf(survey.processes.join() === '1', 'process 1 and no other', survey.processes.join(', ')),
        noneOf(
          survey.cgroups.filter((line) => !line.endsWith(':/')),
          'the root of the cgroup tree',
        ),
      ),
    ),
    look('posture-limits', 'its limits of descriptors, core dumps and locked memory are set', judgeLimits),
    look('posture-network', 'it has a loopback device, no other, and no route', (survey) =>
      all(
        noneOf(
          survey.interfaces.filter((name) => name !== 'lo'),
          'no interface that is up but lo',
        ),
        noneOf(
          survey.networkDevices.filter((name) => !NETWORK_DEVICE.test(name)),
          'no network device',
        ),
        noneOf(survey.routes, 'no route'),
      ),
    ),
    look('posture-sockets', 'it sees no Unix socket of the host', ({ unixSockets }) =>
      noneOf(unixSockets, 'no named or abstract socket'),
    ),
  ],
};

function look(id: string, title: string, judge: (survey: Survey) => Verdict): PluginAttack {
  return {
    id,
    title,
    promises: ['P6'],
    attempt: SURVEY,
    judge: judgeAnswer<Survey>((survey) => judge(survey)),
  };
}

const NO_RIGHTS = /^0+$/;
/** Field of a thread's status → what it has to say. gVisor leaves some out; the system calls tell of those. */
const THREAD_FIELDS: Readonly<Record<string, RegExp>> = {
  CapInh: NO_RIGHTS,
  CapPrm: NO_RIGHTS,
  CapEff: NO_RIGHTS,
  CapBnd: NO_RIGHTS,
  CapAmb: NO_RIGHTS,
  NoNewPrivs: /^1$/,
  Seccomp: /^2$/,
  Uid: OF_A_PLUGIN,
  Gid: OF_A_PLUGIN,
};

function judgeThread(status: Readonly<Record<string, string>>): Verdict {
  const wrong = Object.entries(THREAD_FIELDS).filter(([field, pattern]) => {
    const value = status[field]?.trim();
    return value === undefined ? field === 'CapEff' : !pattern.test(value);
  });
  return heldIf(
    wrong.length === 0,
    'no capability, NoNewPrivs 1, Seccomp 2 and the ids of nobody in every thread',
    wrong.map(([field]) => `${field} ${status[field] ?? 'is not shown'}`).join(', '),
  );
}

function judgeEnvironment({ env, environ }: Survey): Verdict {
  const expected: Record<string, string> = { ...BASELINE.env.value };
  const foreign = Object.entries(env).filter(
    ([name, value]) => expected[name] !== value && !(name === 'HOSTNAME' && /^[0-9a-f]{12}$/.test(value)),
  );
  const missing = Object.keys(expected).filter((name) => env[name] === undefined);
  return all(
    noneOf(foreign, 'only variables on the list', ([name]) => name),
    noneOf(missing, 'every variable on the list'),
    noneOf(
      environ.filter((name) => env[name] === undefined),
      'no variable that was taken away later',
    ),
  );
}

const DESCRIPTOR = /^(pipe:\[\d+\]|socket:\[\d+\]|host:\[\d+\]|anon_inode:\[?\w+\]?|\/dev\/null)$/;

/** Kinds of mounts that hold nothing of a disk. */
const KERNEL_MOUNTS = new Set(['proc', 'sysfs', 'cgroup', 'cgroup2', 'mqueue', 'devpts', 'tmpfs']);
/** The engine itself puts these in, read-only. */
const ENGINE_MOUNTS = new Set(['/', '/etc/hostname', '/etc/hosts', '/etc/resolv.conf']);
const DEVICE = /^\/dev\/(null|zero|full|random|urandom|tty)$/;

function isFromOutside({ path, options, type }: Mount): boolean {
  if (KERNEL_MOUNTS.has(type)) return false;
  if (ENGINE_MOUNTS.has(path)) return !options.includes('ro');
  // Without privileges an engine binds its devices one by one, and covers files of the kernel with one of them.
  return !(type === 'devtmpfs' && (DEVICE.test(path) || /^\/(proc|sys)\//.test(path)));
}

/** `/dev` belongs to root and takes no file; the other places are covered by a device. */
function mayHoldPrograms({ path, options }: Mount): boolean {
  if (options.includes('noexec') || options.includes('ro')) return false;
  return path !== '/dev' && !DEVICE.test(path) && !/^\/(proc|sys)\//.test(path);
}

function hasOptions(mount: Mount | undefined, ...options: readonly string[]): boolean {
  return mount !== undefined && options.every((option) => mount.options.includes(option));
}

function showMount(mount: Mount | undefined): string {
  return mount === undefined ? 'no mount' : `${mount.path} (${mount.type}, ${mount.options.join(',')})`;
}

const PROGRAM =
  /^(\/usr\/local\/bin\/node|\/(usr\/)?lib(64)?\/(\w+-linux-gnu\/)?ld-(linux-|musl-)?[^/]*\.so\.\d)$/;

// biome-ignore format: a list of names.
const DEVICES: ReadonlySet<string> = new Set([
  'core', 'fd', 'full', 'mqueue', 'null', 'ptmx', 'pts', 'random', 'stderr', 'stdin', 'stdout', 'tty', 'urandom', 'zero',
]);

/** The kernel puts one of each kind of tunnel into every network namespace where such a module is loaded; all are down. */
const NETWORK_DEVICE =
  /^(lo|tunl0|gre0|gretap0|erspan0|ip_vti0|ip6_vti0|sit0|ip6tnl0|ip6gre0|ip6gretap0|ip6erspan0)$/;

function judgeLimits({ limits }: Survey): Verdict {
  // What came is an error as a text; the descriptors are counted by another attack.
  if (/ENOENT/.test(String(limits))) return { held: null, reason: 'this runtime does not show its limits' };
  return all(
    isLimit(limits, 'Max open files', BASELINE.nofile.value),
    isLimit(limits, 'Max core file size', BASELINE.core.value),
    isLimit(limits, 'Max locked memory', BASELINE.memlock.value),
    isLimit(limits, 'Max msgqueue size', BASELINE.messageQueues.value),
  );
}

function isLimit(limits: Survey['limits'], name: string, most: number): Verdict {
  const value = limits[name];
  return heldIf(value !== undefined && Number(value) <= most, `${name} of at most ${most}`, String(value));
}

function noneOf<T>(wrong: readonly T[], expected: string, show: (item: T) => string = String): Verdict {
  return heldIf(wrong.length === 0, expected, wrong.map(show).join(', '));
}
