import { expect, test } from 'vitest';
import { createPrivateEngine } from '../helpers/private-engine.ts';
import { parseLimits, parseStatus } from '../helpers/proc.ts';
import { createPlugin } from '../helpers/workspace.ts';

test('an engine with special settings runs a plugin without weakening any control (P6)', async () => {
  await using engine = await createPrivateEngine({
    args: [
      // Shown by `inspect` beside the limits that were asked for.
      ...['--default-ulimit', 'nproc=4096:8192', '--default-ulimit', 'nofile=1048576:1048576'],
      ...['--default-ulimit', 'core=-1:-1', '--log-opt', 'max-size=1m', '--default-shm-size', '1M'],
      ...['--default-ipc-mode', 'shareable', '--default-cgroupns-mode', 'host', '--init'],
    ],
  });
  await using plugin = await createPlugin('engine-settings', {}, { env: engine.env });
  const { pid, status, limits, hasSharedMemory, cgroup } = await plugin.ask(() => {
    const { existsSync, readFileSync } = process.getBuiltinModule('node:fs');
    return {
      pid: process.pid,
      status: readFileSync('/proc/self/status', 'utf8'),
      limits: readFileSync('/proc/self/limits', 'utf8'),
      hasSharedMemory: existsSync('/dev/shm'),
      cgroup: readFileSync('/proc/self/cgroup', 'utf8'),
    };
  });
  expect(parseStatus(status)).toMatchObject({ Seccomp: '2', NoNewPrivs: '1', CapBnd: '0000000000000000' });
  expect(parseLimits(limits)).toMatchObject({
    'Max processes': '4096 8192',
    'Max open files': '256 256',
    'Max core file size': '0 0',
  });
  expect([pid, hasSharedMemory]).toEqual([1, false]);
  for (const line of cgroup.trim().split('\n')) expect(line).toMatch(/:\/$/);
});

test('an engine that gives every container real-time priority runs no plugin (P6)', async () => {
  await using engine = await createPrivateEngine({ args: ['--default-ulimit', 'rtprio=99:99'] });
  await using plugin = await createPlugin('engine-settings-rtprio', {}, { env: engine.env });
  const { outcome, error } = await plugin.run(() => 'it ran');
  expect(outcome).toBe('ENGINE_INSECURE');
  expect(error?.message).toMatch(/HostConfig\.Ulimits.*expected no limit `rtprio`/);
});
