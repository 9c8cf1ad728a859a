import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type Dockerd, startDockerd, stopDockerd } from '../../scripts/dockerd.ts';

/**
 * A daemon as far as these scripts see one: it writes its pid file, answers a ping, and cleans up on SIGTERM.
 * `/bin/bash` without `env` before it, because only then the process is named like the script.
 */
const STAND_IN = `#!/bin/bash
echo started >>"$1/starts"
echo $$ >"$1/docker.pid"
'${process.execPath}' -e 'require("http").createServer((q, a) => a.end("OK")).listen(process.argv[1])' "$1/docker.sock" &
trap 'kill $!; rm -f "$1/docker.pid"; exit 0' TERM
wait
`;

const BROKEN = `#!/bin/bash
echo 'failed to start daemon: no space left on device'
exit 1
`;

const SILENT = `#!/bin/bash
echo $$ >"$1/docker.pid"
exec sleep 60
`;

describe.skipIf(process.platform !== 'linux')('dockerd', () => {
  let folder: string;
  let dockerd: Dockerd;

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'lurkbox-dockerd-'));
    dockerd = {
      command: join(folder, 'dockerd'),
      args: [folder],
      socketPath: join(folder, 'docker.sock'),
      pidFile: join(folder, 'docker.pid'),
      logFile: join(folder, 'log'),
      recordFile: join(folder, 'record.json'),
    };
    install(STAND_IN);
  });

  afterEach(async () => {
    await stopDockerd(dockerd);
    rmSync(folder, { recursive: true, force: true });
  });

  function install(script: string): void {
    writeFileSync(dockerd.command, script);
    chmodSync(dockerd.command, 0o755);
  }

  function startCount(): number {
    return readFileSync(join(folder, 'starts'), 'utf8').split('\n').length - 1;
  }

  /** An ended process stays known until the event loop fetches its exit code. */
  function isKnown(pid: number): boolean {
    return existsSync(`/proc/${pid}`);
  }

  test('it answers once `startDockerd` returns, and is gone once `stopDockerd` does', async () => {
    await startDockerd(dockerd);
    expect(existsSync(dockerd.socketPath)).toBe(true);
    const pid = Number(readFileSync(dockerd.pidFile, 'utf8'));
    expect(await stopDockerd(dockerd)).toBe(true);
    await expect.poll(() => isKnown(pid)).toBe(false);
    expect(existsSync(dockerd.recordFile)).toBe(false);
  });

  test('a second start finds the first daemon and starts no other', async () => {
    await startDockerd(dockerd);
    await startDockerd(dockerd);
    expect(startCount()).toBe(1);
  });

  test('a second stop does nothing', async () => {
    await startDockerd(dockerd);
    await stopDockerd(dockerd);
    expect(await stopDockerd(dockerd)).toBe(false);
  });

  test('a pid file left behind by a killed daemon does not keep a new one from starting', async () => {
    writeFileSync(dockerd.pidFile, `${process.pid}`);
    await startDockerd(dockerd);
    expect(startCount()).toBe(1);
  });

  test('a process that got the pid of our daemon later is not stopped', async () => {
    writeFileSync(dockerd.recordFile, JSON.stringify({ pid: process.pid, startTime: '1' }));
    expect(await stopDockerd(dockerd)).toBe(false);
  });

  test('a daemon that ends at once is reported with the end of its log', async () => {
    install(BROKEN);
    await expect(startDockerd(dockerd)).rejects.toThrow(
      /ended before it answered[\s\S]*no space left on device/,
    );
    expect(existsSync(dockerd.recordFile)).toBe(false);
  });

  test('a daemon that never answers is stopped again', async () => {
    install(SILENT);
    await expect(startDockerd(dockerd, 500)).rejects.toThrow(
      /did not answer on `unix:.*docker.sock` in 0.5 s/,
    );
    const pid = Number(readFileSync(dockerd.pidFile, 'utf8'));
    await expect.poll(() => isKnown(pid)).toBe(false);
  });

  test('a missing program is named', async () => {
    await expect(startDockerd({ ...dockerd, command: 'no-such-dockerd' })).rejects.toThrow(
      '`no-such-dockerd` could not be started: is it installed?',
    );
  });
});
