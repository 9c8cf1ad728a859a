import { accessSync, constants, readFileSync, statSync } from 'node:fs';
import { homedir } from 'node:os';
import { delimiter, dirname, extname, isAbsolute, join } from 'node:path';
import { LurkboxError } from '../errors.ts';
import { quotePath } from '../printable.ts';
import { stepsTo } from '../storage/path-steps.ts';
import { type CommandOptions, type CommandResult, runCommand } from './command.ts';
import { isChangedByOthers } from './ownership.ts';

export type HostProgram = 'npm' | 'strip' | 'apt-get' | 'dpkg-deb';

interface Found {
  readonly program: string;
  /** Arguments that come first. */
  readonly args: readonly string[];
}

/** Heap of npm, which reads a package's list of versions as a whole, whatever its size. */
const HEAP_MEGABYTES = 768;

/** What a helper program gets of the environment, beside all that sets npm. */
const PASSED_ON: ReadonlySet<string> = new Set([
  'HOME',
  'USER',
  'LOGNAME',
  'TZ',
  'HTTP_PROXY',
  'HTTPS_PROXY',
  'NO_PROXY',
  'ALL_PROXY',
  'NODE_EXTRA_CA_CERTS',
  'NODE_USE_SYSTEM_CA',
  'SSL_CERT_FILE',
  'SSL_CERT_DIR',
]);

/** Names that lead to other programs or to other settings than those of npm. */
const NEVER_PASSED_ON = /^(?:NODE_OPTIONS|NODE_PATH|NODE_REPL_.*|LD_.*|DYLD_.*|PATH|ENV|BASH_ENV|IFS)$/i;

/**
 * The programs of this host that builds start. Each is looked for on the PATH that this process was started with, once, and
 * is used by its absolute path from then on. One that somebody else could change is refused and not passed over: what lies
 * before it on the PATH is not what the operator believes.
 */
export class HostPrograms {
  readonly #env: NodeJS.ProcessEnv;
  readonly #found = new Map<HostProgram, Found | null>();
  #handedOn: Readonly<Record<string, string>> | undefined;

  constructor(env: NodeJS.ProcessEnv) {
    this.#env = { ...env };
  }

  /** `null` when this host has no such program. @throws LurkboxError `IMAGE_BUILD_FAILED` when others can change it */
  async run(
    name: HostProgram,
    args: readonly string[],
    options: Omit<CommandOptions, 'env'>,
  ): Promise<CommandResult | null> {
    const found = this.#find(name);
    if (found === null) return null;
    return runCommand(found.program, [...found.args, ...args], { ...options, env: this.#environment() });
  }

  #find(name: HostProgram): Found | null {
    let found = this.#found.get(name);
    if (found === undefined) {
      const path = this.#folders()
        .map((folder) => join(folder, name))
        .find(isExecutable);
      found = path === undefined ? null : toFound(path);
      this.#found.set(name, found);
    }
    return found;
  }

  /** Relative and empty entries depend on the working folder, so they are left out. */
  #folders(): string[] {
    return (this.#env['PATH'] ?? '').split(delimiter).filter((folder) => isAbsolute(folder));
  }

  #environment(): Readonly<Record<string, string>> {
    this.#handedOn ??= this.#toEnvironment();
    return this.#handedOn;
  }

  #toEnvironment(): Record<string, string> {
    const named = namesInNpmrc(this.#env);
    const passedOn = Object.entries(this.#env).filter(
      ([name, value]) =>
        value !== undefined &&
        !NEVER_PASSED_ON.test(name) &&
        (PASSED_ON.has(name.toUpperCase()) || /^npm_config_/i.test(name) || named.has(name)),
    );
    const guarded = this.#folders().filter((folder) => isChangedByOthers(folder) === null);
    return {
      HOME: homedir(),
      ...(Object.fromEntries(passedOn) as Record<string, string>),
      LANG: 'C',
      // Without this npm reads compiled code from a folder of a known name in /tmp, which any user can make first.
      NODE_DISABLE_COMPILE_CACHE: '1',
      // A wrapper around npm starts `node` by name.
      PATH: [dirname(process.execPath), ...guarded].join(delimiter),
    };
  }
}

function toFound(path: string): Found {
  const steps = stepsTo(path);
  const real = steps.at(-1) as string;
  for (const step of steps) {
    const fault = isChangedByOthers(step);
    if (fault === null) continue;
    throw new LurkboxError(
      'IMAGE_BUILD_FAILED',
      `expected ${quotePath(path)} to be a program that only root and this user can change, but ${fault}; take its folder ` +
        'from the PATH of lurkbox, or take the right to write there from others',
    );
  }
  // npm is a script of Node: the Node that runs lurkbox runs it, and not whichever is first on the PATH.
  return isScriptOfNode(real)
    ? { program: process.execPath, args: [`--max-old-space-size=${HEAP_MEGABYTES}`, real] }
    : { program: real, args: [] };
}

function isScriptOfNode(path: string): boolean {
  return ['.js', '.cjs', '.mjs'].includes(extname(path));
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return statSync(path).isFile();
  } catch {
    return false;
  }
}

const MAX_NPMRC_BYTES = 256 * 1024;

/** A token for a registry is often written as `${NAME}`, whose value is in the environment. */
function namesInNpmrc(env: NodeJS.ProcessEnv): ReadonlySet<string> {
  const file = env['npm_config_userconfig'] ?? join(env['HOME'] ?? homedir(), '.npmrc');
  try {
    if (statSync(file).size > MAX_NPMRC_BYTES) return new Set();
    const names = readFileSync(file, 'utf8').matchAll(/\$\{([A-Za-z_]\w*)\??\}/g);
    return new Set([...names].map(([, name]) => name as string));
  } catch {
    return new Set();
  }
}
