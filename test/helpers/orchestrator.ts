import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { createInterface } from 'node:readline';
import { isProcessGone } from '../../src/process.ts';

/** Another process that executes plugins, to be killed. */
export interface Orchestrator extends AsyncDisposable {
  /** As the label of its containers says it. */
  readonly owner: string;
  /** Resolves when it has written a line that is this word. */
  says(word: string): Promise<void>;
  /** SIGKILL; resolves when it has ended. Throws when it had ended by itself. Fine to call twice. */
  kill(): Promise<void>;
}

const SOURCE = join(import.meta.dirname, '../../src');

/** What every such program begins with: it says who it is, and has `lurkbox` with the plugins of its workspace loaded. */
const PREAMBLE = `
  const [, source, root, options] = process.argv;
  const { createLurkbox } = await import(source + '/index.ts');
  const { ownProcess } = await import(source + '/process.ts');
  console.log(ownProcess());
  const lurkbox = await createLurkbox({ workspaceRoot: root, ...JSON.parse(options) });
  await lurkbox.plugins.discoverAndLoadAll(root);
`;

/** Starts it on a workspace, and returns when it has said who it is. */
export async function startOrchestrator(
  root: string,
  program: string,
  env: NodeJS.ProcessEnv = process.env,
  options: object = { maxWarm: 0 },
): Promise<Orchestrator> {
  const args = ['--input-type=module', '-e', PREAMBLE + program, SOURCE, root, JSON.stringify(options)];
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'], env });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const { value: owner } = await lines.next();
  if (owner === undefined) throw new Error('the orchestrator ended before it said who it is');
  return {
    owner,
    says: async (word) => {
      for (let line = await lines.next(); line.value !== word; line = await lines.next()) {
        if (line.done) throw new Error(`the orchestrator ended before it said \`${word}\``);
      }
    },
    kill: async () => {
      if (child.exitCode !== null)
        throw new Error(`the orchestrator ended by itself, with ${child.exitCode}`);
      await end(child);
    },
    [Symbol.asyncDispose]: () => end(child),
  };
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exited = once(child, 'exit');
  child.kill('SIGKILL');
  await exited;
}

/** Pids of the guards of these orchestrators: processes that have one of them among their arguments. */
export function findGuards(...owners: readonly string[]): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .filter((pid) => owners.some((owner) => argumentsOf(pid).includes(owner)))
    .map(Number);
}

/** Pids of the guards that run from this folder, and whose orchestrator is gone. */
export function findOwnerlessGuards(folder: string): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .filter((pid) => {
      const args = argumentsOf(pid);
      const program = args.findIndex(
        (arg) => arg.startsWith(folder) && basename(arg).startsWith('guard-program'),
      );
      return program !== -1 && isProcessGone(args[program + 1] ?? '');
    })
    .map(Number);
}

function argumentsOf(pid: string): string[] {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0');
  } catch {
    return []; // It ended meanwhile.
  }
}
