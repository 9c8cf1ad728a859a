import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createPlugin, type TestPlugin } from '../helpers/workspace.ts';

/**
 * What a plugin that asks for nothing gets when it tries to change or leave its container. What it sees of it, field by field,
 * is in `posture-of-grants.test.ts`, with that of every other grant.
 */
let probe: TestPlugin;

beforeAll(async () => {
  probe = await createPlugin('posture-probe');
});
afterAll(() => probe[Symbol.asyncDispose]());

/** Error codes with which a kernel says no. */
const REFUSED = /^(EACCES|EPERM|EROFS|ENOENT|ETXTBSY|EXDEV)$/;

describe('the process', () => {
  test('is alone in its pid namespace', async () => {
    const [pid, seen] = await probe.ask(() => {
      const { readdirSync } = process.getBuiltinModule('node:fs');
      return [process.pid, readdirSync('/proc').filter((name) => /^\d+$/.test(name))] as const;
    });
    expect([pid, seen]).toEqual([1, ['1']]);
  });

  test('cannot become somebody else', async () => {
    const codes = await probe.ask(() => {
      const attempt = (change: () => void): string => {
        try {
          change();
          return 'done';
        } catch (error) {
          return (error as NodeJS.ErrnoException).code ?? String(error);
        }
      };
      return [
        attempt(() => process.setuid?.(0)),
        attempt(() => process.setgid?.(0)),
        attempt(() => process.setgroups?.([0])),
        attempt(() => process.seteuid?.(0)),
      ];
    });
    expect(codes).toEqual(['EPERM', 'EPERM', 'EPERM', 'EPERM']);
  });

  test('cannot trace, read or stop a foreign process', async () => {
    const codes = await probe.ask(() =>
      [2, 3, 100, 1000].map((pid) => {
        try {
          process.kill(pid, 'SIGKILL');
          return 'sent';
        } catch (error) {
          return (error as NodeJS.ErrnoException).code;
        }
      }),
    );
    expect(new Set(codes)).toEqual(new Set(['ESRCH']));
  });
});

describe('the file system', () => {
  test('can be written to only in /tmp', async () => {
    const { tried, written } = await probe.ask(() => {
      const { closeSync, openSync, readdirSync, unlinkSync } = process.getBuiltinModule('node:fs');
      const written: string[] = [];
      let tried = 0;
      const visit = (folder: string): void => {
        tried++;
        const file = `${folder}/lurkbox-was-here`;
        try {
          closeSync(openSync(file, 'w'));
          unlinkSync(file);
          written.push(folder);
        } catch {}
        try {
          for (const entry of readdirSync(folder, { withFileTypes: true })) {
            // The folders of threads come and go while they are read.
            if (
              entry.isDirectory() &&
              !/^\/proc\/(\d+|self)$/.test(`${folder}/${entry.name}`.replace('//', '/'))
            )
              visit(`${folder === '/' ? '' : folder}/${entry.name}`);
          }
        } catch {}
      };
      visit('/');
      return { tried, written };
    });
    expect(tried).toBeGreaterThan(100);
    expect(written).toEqual(['/tmp']);
  });

  test('refuses to change or open for writing what controls the container or the host', async () => {
    const paths = [
      '/proc/self/exe',
      '/usr/local/bin/node',
      '/lurkbox/runner.cjs',
      '/plugin/index.mjs',
      '/etc/passwd',
      '/etc/hostname',
      '/proc/sys/kernel/core_pattern',
      '/proc/sys/kernel/hostname',
      '/proc/sysrq-trigger',
      '/sys/fs/cgroup/memory/memory.limit_in_bytes',
      '/sys/fs/cgroup/memory.max',
      '/sys/fs/cgroup/pids/pids.max',
      '/sys/fs/cgroup/memory/release_agent',
      '/sys/fs/cgroup/memory/notify_on_release',
      '/sys/kernel/uevent_helper',
    ];
    const codes = await probe.ask((all: string[]) => {
      const { openSync } = process.getBuiltinModule('node:fs');
      return all.map((path) => {
        try {
          openSync(path, 'r+');
          return 'opened';
        } catch (error) {
          return (error as NodeJS.ErrnoException).code;
        }
      });
    }, paths);
    for (const [index, code] of codes.entries())
      expect(`${paths[index]}: ${code}`).toMatch(/: (EACCES|EPERM|EROFS|ENOENT|ETXTBSY)$/);
  });

  test('holds no program but Node and the loader of its libraries', async () => {
    const files = await probe.ask(() => {
      const { lstatSync, readdirSync } = process.getBuiltinModule('node:fs');
      const found: { path: string; mode: number; bytes: number }[] = [];
      const visit = (folder: string): void => {
        for (const name of readdirSync(folder || '/')) {
          const path = `${folder}/${name}`;
          if (['/proc', '/sys', '/dev'].includes(path)) continue;
          const stats = lstatSync(path);
          if (stats.isDirectory() && (stats.mode & 0o005) === 0o005) visit(path);
          else if (!stats.isDirectory()) found.push({ path, mode: stats.mode & 0o7777, bytes: stats.size });
        }
      };
      visit('');
      return found;
    });
    const programs = files.filter(
      ({ path, mode, bytes }) => mode & 0o111 && bytes > 0 && !/\/lib[^/]*\.so\.\d+$/.test(path),
    );
    const names = programs
      .map(({ path }) => path)
      .filter((path) => !/^\/etc\/(mtab|hosts|resolv\.conf|hostname)$/.test(path));
    expect(names.sort()).toEqual([
      expect.stringMatching(/^\/lib(64)?\/ld-linux-.*\.so\.\d$/),
      '/usr/local/bin/node',
    ]);
    expect(files.filter(({ mode }) => mode & 0o6000)).toEqual([]);
  });

  test('opens no device of the host', async () => {
    const opened = await probe.ask(() => {
      const { openSync } = process.getBuiltinModule('node:fs');
      return ['sda', 'vda', 'kmsg', 'mem', 'port', 'fuse', 'kvm', 'net/tun', 'shm', 'loop0'].filter(
        (name) => {
          try {
            openSync(`/dev/${name}`, 'r');
            return true;
          } catch {
            return false;
          }
        },
      );
    });
    expect(opened).toEqual([]);
  });

  test('loads no machine code from /tmp, although it runs JavaScript from there', async () => {
    const answers = await probe.ask(() => {
      const { copyFileSync, readdirSync, writeFileSync } = process.getBuiltinModule('node:fs');
      const { createRequire } = process.getBuiltinModule('node:module');
      const folder = readdirSync('/lib').find((name) => name.endsWith('-linux-gnu'));
      const library = `/lib/${folder}/libm.so.6`;
      copyFileSync(library, '/tmp/native.node');
      writeFileSync('/tmp/script.cjs', 'module.exports = 6 * 7;');
      const attempt = (file: string): string => {
        try {
          process.dlopen({ exports: {} }, file);
          return 'loaded';
        } catch (error) {
          return String(error);
        }
      };
      return [attempt('/tmp/native.node'), attempt(library), createRequire('/tmp/')('/tmp/script.cjs')];
    });
    expect(answers[0]).toMatch(/failed to map segment|Operation not permitted/);
    // The same bytes where they may be mapped: only then does Node look for a module in them.
    expect(answers[1]).toMatch(/did not self-register/);
    expect(answers[2]).toBe(42);
  });
});

describe('other programs', () => {
  test('cannot be started in any way that Node has', async () => {
    const codes = await probe.ask(async () => {
      const { exec, execFileSync, fork, spawn, spawnSync } = process.getBuiltinModule('node:child_process');
      const failure = (start: () => import('node:child_process').ChildProcess): Promise<string> =>
        new Promise((resolve) => {
          try {
            const child = start();
            child.once('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message));
            child.once('spawn', () => resolve('started'));
          } catch (error) {
            resolve((error as NodeJS.ErrnoException).code ?? String(error));
          }
        });
      const thrown = (start: () => unknown): string => {
        try {
          start();
          return 'started';
        } catch (error) {
          return (error as NodeJS.ErrnoException).code ?? String(error);
        }
      };
      return [
        await failure(() => spawn(process.execPath, ['-v'])),
        await failure(() => exec(`${process.execPath} -v`, { shell: process.execPath })),
        await failure(() => fork('/plugin/index.mjs')),
        (spawnSync(process.execPath, ['-v']).error as NodeJS.ErrnoException).code,
        thrown(() => execFileSync(process.execPath, ['-v'])),
        (spawnSync('/bin/sh', ['-c', 'true']).error as NodeJS.ErrnoException).code,
      ];
    });
    expect(codes.slice(0, 5)).toEqual(['EPERM', 'EPERM', 'EPERM', 'EPERM', 'EPERM']);
    expect(codes[5]).toMatch(/^(EPERM|ENOENT)$/);
  });

  test('cannot be started past the checks of `child_process` either', async () => {
    const result = await probe.run(() => {
      process.getBuiltinModule('node:v8').setFlagsFromString('--allow-natives-syntax');
      const binding = (
        process as unknown as { binding(name: string): { spawn(options: object): { error?: number } } }
      ).binding('spawn_sync');
      const stdio = [0, 1, 2].map((fd) => ({ type: 'inherit', fd }));
      return binding.spawn({ file: process.execPath, args: [process.execPath, '-v'], envPairs: [], stdio })
        .error;
    });
    if (result.outcome === 'OK')
      expect(result.result).toBe(-1); // EPERM
    else expect(result.error?.message).toMatch(/No such (module|built-in)/);
  });

  test('can only replace Node by Node, under the same restrictions', async () => {
    const { outcome, logs } = await probe.run(() => {
      const script = "console.log(require('fs').readFileSync('/proc/self/status', 'utf8'))";
      process.execve?.(process.execPath, [process.execPath, '-e', script], {});
    });
    expect(outcome).toBe('NO_RESULT');
    const status = logs.map(({ message }) => message);
    expect(status).toEqual(
      expect.arrayContaining([
        expect.stringMatching(/^Uid:\t([45]\d{4})(\t\1){3}$/),
        'CapBnd:\t0000000000000000',
        'NoNewPrivs:\t1',
        'Seccomp:\t2',
      ]),
    );
  });

  test('cannot be brought along and put in the place of Node', async () => {
    const result = await probe.run(() => {
      const { chmodSync, writeFileSync } = process.getBuiltinModule('node:fs');
      writeFileSync('/tmp/program', '#!/usr/local/bin/node\nconsole.log("it ran")');
      chmodSync('/tmp/program', 0o755);
      process.execve?.('/tmp/program', ['/tmp/program'], {});
    });
    expect(result.outcome).toMatch(/^(PLUGIN_ERROR|PLUGIN_CRASHED)$/);
    expect(JSON.stringify([result.logs, result.error])).toMatch(/EACCES/);
    expect(JSON.stringify(result.logs)).not.toContain('it ran');
  });

  test('are not needed for worker threads, crypto, compression and timers', async () => {
    const answers = await probe.ask(async () => {
      const { Worker } = process.getBuiltinModule('node:worker_threads');
      const { gunzipSync, gzipSync } = process.getBuiltinModule('node:zlib');
      const { randomUUID, scryptSync } = process.getBuiltinModule('node:crypto');
      const { readFile } = process.getBuiltinModule('node:fs/promises');
      const worker = new Worker('require("worker_threads").parentPort.postMessage(6 * 7)', { eval: true });
      const fromWorker = await new Promise((resolve) => worker.once('message', resolve));
      return [
        fromWorker,
        gunzipSync(gzipSync('text')).toString(),
        randomUUID().length,
        scryptSync('a', 'b', 8).length,
        (await readFile('/plugin/plugin.json', 'utf8')).includes('posture-probe'),
        Intl.DateTimeFormat('de', { timeZone: 'Asia/Tokyo' }).format(0),
        new Date(0).getTimezoneOffset(),
      ];
    });
    expect(answers).toEqual([42, 'text', 36, 8, true, '1.1.1970', 0]);
  });
});

describe('the kernel enforces the limit on', () => {
  test('descriptors', async () => {
    const [count, code] = await probe.ask(() => {
      const { openSync } = process.getBuiltinModule('node:fs');
      for (let count = 0; ; count++) {
        try {
          openSync('/dev/null', 'r');
        } catch (error) {
          return [count, (error as NodeJS.ErrnoException).code] as const;
        }
      }
    });
    expect(code).toBe('EMFILE');
    expect(count).toBeGreaterThan(200);
    expect(count).toBeLessThan(256);
  });

  test('processes and threads', async () => {
    const result = await probe.run(async (_, host) => {
      const { readdirSync } = process.getBuiltinModule('node:fs');
      const { Worker } = process.getBuiltinModule('node:worker_threads');
      for (let started = 0; started < 200; started++) {
        const worker = new Worker('setInterval(() => {}, 1000)', {
          eval: true,
          resourceLimits: { maxOldGenerationSizeMb: 1 },
        });
        const ended = await new Promise((resolve) => {
          worker.once('online', () => resolve(null));
          worker.once('error', resolve);
        });
        host.log('info', `threads: ${readdirSync('/proc/self/task').length}`);
        if (ended !== null) throw ended;
      }
    });
    // Node itself may not survive that it gets no thread, and its memory may be full before.
    expect(result.outcome).toMatch(/^(PLUGIN_ERROR|PLUGIN_CRASHED|OUT_OF_MEMORY)$/);
    const threads = result.logs.map(({ message }) => Number(/^threads: (\d+)$/.exec(message)?.[1] ?? 0));
    expect(Math.max(...threads)).toBeLessThanOrEqual(64);
  });

  test('size of /tmp', async () => {
    const [megabytes, code] = await probe.ask(() => {
      const { appendFileSync } = process.getBuiltinModule('node:fs');
      const chunk = Buffer.alloc(1024 * 1024, 1);
      for (let megabytes = 0; ; megabytes++) {
        try {
          appendFileSync(`/tmp/file-${megabytes % 4}`, chunk);
        } catch (error) {
          return [megabytes, (error as NodeJS.ErrnoException).code] as const;
        }
      }
    });
    // Half of 96 MB of memory, where the manifest names no size.
    expect([megabytes, code]).toEqual([48, 'ENOSPC']);
  });

  test('number of files in /tmp', async () => {
    const [count, code] = await probe.ask(() => {
      const { mkdirSync, writeFileSync } = process.getBuiltinModule('node:fs');
      mkdirSync('/tmp/many');
      for (let count = 0; ; count++) {
        try {
          writeFileSync(`/tmp/many/${count}`, '');
        } catch (error) {
          return [count, (error as NodeJS.ErrnoException).code] as const;
        }
      }
    });
    expect(code).toBe('ENOSPC');
    expect(count).toBeGreaterThan(4000);
    expect(count).toBeLessThan(4096);
  });

  test('size of one file, however sparse', async () => {
    const code = await probe.ask(() => {
      const { openSync, ftruncateSync } = process.getBuiltinModule('node:fs');
      try {
        ftruncateSync(openSync('/tmp/sparse', 'w'), 2 ** 40);
        return 'made';
      } catch (error) {
        return (error as NodeJS.ErrnoException).code;
      }
    });
    expect(code).toBe('EFBIG');
  });

  test('share of a core, over all threads', async () => {
    await using slow = await createPlugin('posture-cpu', {
      manifest: { resources: { memory_mb: 96, cpu_percent: 50 } },
    });
    const share = await slow.ask(async () => {
      const { Worker } = process.getBuiltinModule('node:worker_threads');
      const burn = 'const end = Date.now() + 2000; while (Date.now() < end);';
      const before = process.cpuUsage();
      const started = performance.now();
      const workers = [1, 2].map(() => new Worker(burn, { eval: true }));
      await Promise.all(workers.map((worker) => new Promise((resolve) => worker.once('exit', resolve))));
      const { user, system } = process.cpuUsage(before);
      return (user + system) / 1000 / (performance.now() - started);
    });
    expect(share).toBeLessThan(0.65);
  });

  test('core dumps', async () => {
    const limits = await probe.ask(() =>
      process.getBuiltinModule('node:fs').readFileSync('/proc/self/limits', 'utf8'),
    );
    expect(limits).toMatch(/^Max core file size +0 +0 /m);
    expect(limits).toMatch(/^Max locked memory +65536 +65536 /m);
  });
});

test('the kernel refuses with an error and not with a signal', async () => {
  const codes = await probe.ask(() => {
    const { linkSync, mkdirSync, readFileSync, symlinkSync } = process.getBuiltinModule('node:fs');
    const attempt = (act: () => unknown): string => {
      try {
        act();
        return 'done';
      } catch (error) {
        return (error as NodeJS.ErrnoException).code ?? String(error);
      }
    };
    return [
      attempt(() => mkdirSync('/sys/fs/cgroup/memory/x')),
      attempt(() => linkSync('/etc/passwd', '/tmp/passwd')),
      attempt(() => symlinkSync('/x', '/plugin/link')),
      attempt(() => readFileSync('/etc/shadow')),
      attempt(() => readFileSync('/proc/kcore')),
    ];
  });
  for (const code of codes) expect(code).toMatch(REFUSED);
});
