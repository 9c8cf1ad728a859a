import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { openSync, readdirSync, readFileSync } from 'node:fs';
import { mkdtemp, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import {
  endDaemon,
  identify,
  type ProcessIdentity,
  SYSTEM_PATH,
  waitUntilItAnswers,
} from '../../scripts/dockerd.ts';

export interface PrivateEngineOptions {
  /** OCI runtimes by the name to register them under, beside `runc`. */
  readonly runtimes?: Readonly<Record<string, { path: string; runtimeArgs?: readonly string[] }>>;
  /** More arguments of `dockerd`, after those that keep it apart. */
  readonly args?: readonly string[];
  /** Shows it version 1 of cgroups alone where the system has both; crun does not go with both. */
  readonly hideUnifiedCgroups?: boolean;
}

/** An engine that nobody else uses, to be broken. It has no bridge of the default name, and no way to any network. */
export interface PrivateEngine extends AsyncDisposable {
  readonly url: string;
  readonly socketPath: string;
  /** For `createLurkbox({ env })` and `connectEngine({ env })`. */
  readonly env: NodeJS.ProcessEnv;
  /** Of `dockerd`, as this machine counts. Another one after another start. */
  readonly pid: number;
  readonly logFile: string;
  /** Everything that came of it and runs, containers included, by the name of the program: `containerd-shim-runc-v2`. */
  pidsOf(program: string): number[];
  /** The names of all these programs, cut to the 15 letters that the kernel keeps. */
  programs(): string[];
  /** Ends `dockerd` as its service manager would: it ends its containers, and then its `containerd`. */
  stop(): Promise<void>;
  /** Ends `dockerd`, and nothing else, at once. */
  kill(): Promise<void>;
  /** Starts `dockerd` on what it left, and returns when it answers. */
  start(): Promise<void>;
}

/** Where a file system lies on a disk; and short, because the path of a socket has 108 bytes at most. */
const PARENT_FOLDER = '/var/tmp';

/** Starts it. Disposing of it, or the end of this process, ends all of its processes and removes all of its files. */
export async function createPrivateEngine(options: PrivateEngineOptions = {}): Promise<PrivateEngine> {
  assertPossible();
  const folder = await mkdtemp(join(PARENT_FOLDER, 'lurkbox-'));
  const configFile = join(folder, 'daemon.json');
  await writeFile(configFile, JSON.stringify({ runtimes: options.runtimes ?? {} }));
  const { hideUnifiedCgroups = false, args = [] } = options;
  const engine = new NamespacedEngine(folder, hideUnifiedCgroups, [
    ...['--config-file', configFile],
    ...['--host', `unix://${join(folder, 'docker.sock')}`],
    ...['--data-root', join(folder, 'data')],
    ...['--bridge=none', '--iptables=false', '--ip6tables=false'],
    // The other driver needs the service manager of the system, which is out of reach.
    ...['--exec-opt', 'native.cgroupdriver=cgroupfs'],
    ...args,
  ]);
  try {
    await engine.start();
  } catch (error) {
    await engine[Symbol.asyncDispose]();
    throw error;
  }
  return engine;
}

function assertPossible(): void {
  const installed = spawnSync('dockerd', ['--version'], { env: { PATH: SYSTEM_PATH } }).status === 0;
  if (process.getuid?.() === 0 && installed) return;
  throw new Error(
    'An engine of the test needs root, and `dockerd` on this machine (Debian, Ubuntu: `apt-get install docker.io`).',
  );
}

class NamespacedEngine implements PrivateEngine {
  readonly url: string;
  readonly socketPath: string;
  readonly env: NodeJS.ProcessEnv;
  readonly logFile: string;
  readonly #supervisor: ChildProcess;
  readonly #ended: Promise<unknown>;
  readonly #answers: AsyncIterator<string>;
  /** First process of the pid namespace, to which all others belong; 0 before the first start. */
  #init = 0;
  #daemon: ProcessIdentity | null = null;

  constructor(folder: string, hideUnifiedCgroups: boolean, args: readonly string[]) {
    this.socketPath = join(folder, 'docker.sock');
    this.url = `unix://${this.socketPath}`;
    this.env = { ...process.env, DOCKER_HOST: this.url };
    this.logFile = join(folder, 'log');
    this.#supervisor = spawn(join(import.meta.dirname, 'private-engine.sh'), [folder, ...args], {
      cwd: '/',
      // Neither Ctrl-C nor the end of a test run by its group reaches it: it ends with its stdin, and cleans up.
      detached: true,
      stdio: ['pipe', 'pipe', openSync(this.logFile, 'a')],
      env: { ...process.env, PATH: SYSTEM_PATH, HIDE_UNIFIED_CGROUPS: String(hideUnifiedCgroups) },
    });
    this.#supervisor.stdin!.on('error', () => {}); // It ended already; the exit tells.
    this.#ended = once(this.#supervisor, 'close');
    this.#answers = createInterface(this.#supervisor.stdout!)[Symbol.asyncIterator]();
  }

  get pid(): number {
    if (this.#daemon === null) throw new Error('`dockerd` of this engine was never started.');
    return this.#daemon.pid;
  }

  pidsOf(program: string): number[] {
    return descendantsOf(this.#init).filter((pid) => programOf(pid) === program.slice(0, 15));
  }

  programs(): string[] {
    return descendantsOf(this.#init).map(programOf);
  }

  async start(): Promise<void> {
    this.#supervisor.stdin!.write('start\n');
    const inner = await this.#answer();
    // The script, `unshare`, and the script again: the first process inside.
    this.#init ||= descendantsOf(this.#supervisor.pid!)[1] ?? 0;
    const pid = descendantsOf(this.#init).find((candidate) => innerPids(candidate) === inner) ?? -1;
    this.#daemon = identify(pid) ?? { pid, startTime: 'ended at once' };
    await waitUntilItAnswers(this, this.#daemon);
  }

  async stop(): Promise<void> {
    if (this.#daemon !== null) await endDaemon(this.#daemon, 'SIGTERM');
  }

  async kill(): Promise<void> {
    if (this.#daemon !== null) await endDaemon(this.#daemon, 'SIGKILL');
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#supervisor.stdin!.end();
    await this.#ended;
  }

  async #answer(): Promise<string> {
    const { value, done } = await this.#answers.next();
    if (done) throw new Error(`The engine of the test could not be set up: ${readOrEmpty(this.logFile)}`);
    return value;
  }
}

/** Without those of which only the exit code is left; children before grandchildren. An orphan belongs to the first process of its namespace, so none is missed. */
function descendantsOf(ancestor: number): number[] {
  const all = readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map((name) => ({ pid: Number(name), parent: parentOf(name) }));
  const found = [ancestor];
  for (const pid of found)
    found.push(...all.filter(({ parent }) => parent === pid).map((child) => child.pid));
  return found.slice(1);
}

function parentOf(pid: string): number {
  const status = readOrEmpty(`/proc/${pid}/status`);
  return /^State:\s+Z/m.test(status) ? -1 : Number(/^PPid:\s+(\d+)$/m.exec(status)?.[1] ?? -1);
}

/** The pids of a process as it is counted in the namespaces below this one. */
function innerPids(pid: number): string | undefined {
  return /^NSpid:\s+\d+\s+(.*)$/m.exec(readOrEmpty(`/proc/${pid}/status`))?.[1];
}

function programOf(pid: number): string {
  return readOrEmpty(`/proc/${pid}/comm`).trim();
}

function readOrEmpty(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return '';
  }
}
