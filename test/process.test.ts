import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { isProcessGone, ownProcess } from '../src/process.ts';

const [pid = '', started = '', namespace = ''] = ownProcess().split(':');

describe('a process', () => {
  test('is identified by its pid, its start and its pid namespace', () => {
    expect(pid).toBe(String(process.pid));
    const stat = readFileSync('/proc/self/stat', 'utf8');
    expect(started).toBe(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19]);
    expect(namespace).toMatch(/^\d+$/);
  });

  test('that runs is not gone', () => {
    expect(isProcessGone(ownProcess())).toBe(false);
  });

  test('that ended is gone', () => {
    const { pid: ended } = spawnSync(process.execPath, ['-e', '']);
    expect(isProcessGone(`${ended}:1:${namespace}`)).toBe(true);
  });

  test('whose pid is of a later one is gone', () => {
    expect(isProcessGone(`${pid}:${Number(started) + 1}:${namespace}`)).toBe(true);
  });

  test('that was killed is gone before its parent has read its exit code', async () => {
    // A shell that became `sleep` waits for no child, so its own stays a zombie. One that ends before that may be waited for.
    const shell = spawn('/bin/sh', ['-c', 'sleep 0.3 & echo $!; exec sleep 30'], {
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    try {
      const [line] = await once(shell.stdout, 'data');
      const zombie = Number(String(line));
      const startOf = (): string => {
        const stat = readFileSync(`/proc/${zombie}/stat`, 'utf8');
        return stat.slice(stat.lastIndexOf(')') + 2);
      };
      const deadline = Date.now() + 10_000;
      while (!startOf().startsWith('Z') && Date.now() < deadline);
      expect(isProcessGone(`${zombie}:${startOf().split(' ')[19]}:${namespace}`)).toBe(true);
    } finally {
      shell.kill('SIGKILL');
      await once(shell, 'exit');
    }
  });

  test.each([
    ['nothing', ''],
    ['words', 'init:1:7'],
    ['one whose start is unknown', `4194305:unknown:${namespace}`],
    ['one of another pid namespace', '4194305:1:7'],
    ['one of an unknown pid namespace', '4194305:1'],
  ])('that cannot be judged is not gone: %s (P8)', (_title, written) => {
    expect(isProcessGone(written)).toBe(false);
  });
});
