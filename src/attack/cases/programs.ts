import {
  type AttackGroup,
  all,
  heldIf,
  judgeAnswer,
  judgeOutcome,
  type Observation,
  type Program,
  type Verdict,
} from '../attack.ts';

/** Every way that Node has to start a program; answers the error of each. */
const startPrograms = async (): Promise<Record<string, string>> => {
  const cluster = process.getBuiltinModule('node:cluster') as unknown as import('node:cluster').Cluster;
  const { exec, execFile, execFileSync, fork, spawn, spawnSync } =
    process.getBuiltinModule('node:child_process');
  type Child = import('node:child_process').ChildProcess;
  const codeOf = (error: unknown): string =>
    error === undefined ? 'started' : ((error as NodeJS.ErrnoException).code ?? String(error));
  const later = (start: () => Child): Promise<string> =>
    new Promise((resolve) => {
      try {
        const child = start();
        child.once('error', (error) => resolve(codeOf(error)));
        child.once('spawn', () => resolve('started'));
      } catch (error) {
        resolve(codeOf(error));
      }
    });
  const atOnce = (start: () => unknown): string => {
    try {
      start();
      return 'started';
    } catch (error) {
      return codeOf(error);
    }
  };
  return {
    spawn: await later(() => spawn(process.execPath, ['-v'])),
    exec: await later(() => exec('true', { shell: process.execPath })),
    execFile: await later(() => execFile(process.execPath, ['-v'])),
    fork: await later(() => fork('/plugin/index.mjs')),
    cluster: await later(() => {
      cluster.setupPrimary({ exec: '/plugin/index.mjs', silent: true });
      const worker = cluster.fork();
      worker.on('error', () => {});
      return worker.process as Child;
    }),
    spawnSync: codeOf(spawnSync(process.execPath, ['-v']).error),
    execFileSync: atOnce(() => execFileSync(process.execPath, ['-v'])),
    'spawnSync of a shell': codeOf(spawnSync('/bin/sh', ['-c', 'true']).error),
  };
};

const startFromWorker = (): Promise<Record<string, string>> => {
  const { Worker } = process.getBuiltinModule('node:worker_threads');
  const script = `
    const { parentPort } = require('node:worker_threads');
    const { spawnSync } = require('node:child_process');
    const { error } = spawnSync(process.execPath, ['-v']);
    parentPort.postMessage({ 'spawnSync in a worker': error ? error.code : 'started' });`;
  const worker = new Worker(script, { eval: true, execArgv: [], env: {} });
  return new Promise((resolve, reject) => {
    worker.once('message', resolve);
    worker.once('error', reject);
  });
};

/** What is below `child_process`, asked directly. */
const startByBinding = (): unknown => {
  process.getBuiltinModule('node:v8').setFlagsFromString('--allow-natives-syntax');
  const old = process as unknown as { binding(name: string): { spawn(options: object): { error?: number } } };
  const stdio = [0, 1, 2].map((fd) => ({ type: 'inherit', fd }));
  const options = { file: process.execPath, args: [process.execPath, '-v'], envPairs: [], stdio };
  try {
    return { error: old.binding('spawn_sync').spawn(options).error ?? 0 };
  } catch (error) {
    return { thrown: String(error) };
  }
};

const replaceByNode = (): void => {
  const script = `
    const { spawnSync } = require('node:child_process');
    const { error } = spawnSync(process.execPath, ['-v']);
    console.log('second Node, uid ' + process.getuid() + ', spawn ' + (error ? error.code : 'started'));`;
  process.execve?.(process.execPath, [process.execPath, '-e', script], {});
};

const replaceByOwnProgram = (): void => {
  const { chmodSync, writeFileSync } = process.getBuiltinModule('node:fs');
  writeFileSync('/tmp/program', '#!/usr/local/bin/node\nconsole.log("it ran")');
  chmodSync('/tmp/program', 0o755);
  process.execve?.('/tmp/program', ['/tmp/program'], {});
};

const loadFromTmp = (): unknown => {
  const { copyFileSync, readFileSync } = process.getBuiltinModule('node:fs');
  const [, library] = /\s(\/\S+\.so(?:\.\d+)*)$/m.exec(readFileSync('/proc/self/maps', 'utf8')) ?? [];
  if (library === undefined) throw new Error('Node has no library that could be copied');
  copyFileSync(library, '/tmp/native.node');
  try {
    process.dlopen({ exports: {} }, '/tmp/native.node');
    return 'loaded';
  } catch (error) {
    return String(error);
  }
};

const becomeSomebodyElse = (): Record<string, string> => {
  const fs = process.getBuiltinModule('node:fs');
  const attempt = (change: () => void): string => {
    try {
      change();
      return 'done';
    } catch (error) {
      return (error as NodeJS.ErrnoException).code ?? String(error);
    }
  };
  fs.writeFileSync('/tmp/mine', '');
  const uid = process.getuid?.() ?? 0;
  return {
    setuid: attempt(() => process.setuid?.(0)),
    // Without a filter this one is nobody's business.
    'setuid to itself': attempt(() => process.setuid?.(uid)),
    setgid: attempt(() => process.setgid?.(0)),
    seteuid: attempt(() => process.seteuid?.(0)),
    setegid: attempt(() => process.setegid?.(0)),
    setgroups: attempt(() => process.setgroups?.([0])),
    chown: attempt(() => fs.chownSync('/tmp/mine', 0, 0)),
    'chown to itself': attempt(() => fs.chownSync('/tmp/mine', uid, uid)),
  };
};

const signalOthers = (): Record<string, string> => {
  const attempt = (pid: number, signal: NodeJS.Signals): string => {
    try {
      process.kill(pid, signal);
      return 'sent';
    } catch (error) {
      return (error as NodeJS.ErrnoException).code ?? String(error);
    }
  };
  // To itself they may go; the kernel keeps the first process of a namespace from being stopped or killed by its own.
  process.kill(process.pid, 'SIGSTOP');
  process.kill(process.pid, 'SIGKILL');
  return Object.fromEntries([-1, 2, 3, 100, 1000].map((pid) => [String(pid), attempt(pid, 'SIGKILL')]));
};

export const PROGRAMS: AttackGroup = {
  area: 'Other programs, other users',
  attacks: [
    {
      id: 'programs-start',
      title: 'it cannot start a program in any way that Node has',
      promises: ['P6'],
      attempt: { program: startPrograms as Program },
      judge: judgeAnswer(onlyRefusals),
    },
    {
      id: 'programs-worker',
      title: 'it cannot start a program from a worker thread either',
      promises: ['P6'],
      attempt: { program: startFromWorker as Program },
      judge: judgeAnswer(onlyRefusals),
    },
    {
      id: 'programs-binding',
      title: 'it cannot start a program by what lies below `child_process`',
      promises: ['P6'],
      attempt: { program: startByBinding as Program },
      judge: judgeAnswer(({ error, thrown }: { error?: number; thrown?: string }) =>
        heldIf(
          error === -1 || /No such (module|built-in)/.test(thrown ?? ''),
          'error -1 (EPERM), or no such binding',
          thrown ?? `error ${error}`,
        ),
      ),
    },
    {
      id: 'programs-replace',
      title: 'in the place of Node it can put only Node again, under the same rules',
      promises: ['P1', 'P6'],
      attempt: { program: replaceByNode as Program },
      judge: judgeOutcome(['NO_RESULT'], (seen) =>
        heldIf(
          /second Node, uid [1-9]\d{3,4}, spawn EPERM/.test(textOf(seen)),
          'a second Node as nobody, which can start nothing',
          textOf(seen),
        ),
      ),
    },
    {
      id: 'programs-own',
      title: 'a program that it wrote itself does not run',
      promises: ['P6'],
      attempt: { program: replaceByOwnProgram as Program },
      judge: judgeOutcome(['PLUGIN_ERROR', 'PLUGIN_CRASHED'], (seen) =>
        heldIf(
          /EACCES|EPERM/.test(textOf(seen)) && !textOf(seen).includes('it ran'),
          'EACCES, and not a word of it',
          textOf(seen),
        ),
      ),
    },
    {
      id: 'programs-library',
      title: 'machine code that it put into /tmp cannot be loaded',
      promises: ['P6'],
      attempt: { program: loadFromTmp as Program },
      judge: judgeAnswer((answer: unknown) =>
        heldIf(
          /failed to map segment|Operation not permitted|cannot enable executable/i.test(String(answer)),
          'no mapping of it as code',
          String(answer),
        ),
      ),
    },
    {
      id: 'programs-user',
      title: 'it cannot become another user, or give a file to one',
      promises: ['P6'],
      attempt: { program: becomeSomebodyElse as Program },
      judge: judgeAnswer(onlyRefusals),
    },
    {
      id: 'programs-signals',
      title: 'it can send no signal that reaches another process',
      promises: ['P6', 'P7'],
      attempt: { program: signalOthers as Program },
      judge: judgeAnswer((codes: Readonly<Record<string, string>>) =>
        allCodes(codes, /^(ESRCH|EPERM)$/, 'ESRCH for every other process'),
      ),
    },
  ],
};

function onlyRefusals(codes: Readonly<Record<string, string>>): Verdict {
  return allCodes(codes, /^(EPERM|EACCES|ENOENT|ENOSYS)$/, 'EPERM in every way');
}

function allCodes(codes: Readonly<Record<string, string>>, refusal: RegExp, expected: string): Verdict {
  const wrong = Object.entries(codes).filter(([, code]) => !refusal.test(code));
  return all(
    heldIf(Object.keys(codes).length > 0, expected, 'nothing'),
    heldIf(wrong.length === 0, expected, wrong.map(([name, code]) => `${name}: ${code}`).join(', ')),
  );
}

/** Everything that the execution said. */
function textOf({ result }: Observation): string {
  return [...result.logs.map(({ message }) => message), result.error?.message ?? ''].join('\n');
}
