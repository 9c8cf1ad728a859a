import { describe, expect, test } from 'vitest';
import { createPlugin } from '../helpers/workspace.ts';

const EXEC = { manifest: { permissions: { exec: true } } };
const ALLOWED = { policy: { allow: { exec: true } } };

describe('`exec: true`', () => {
  test('starts programs and a shell, with no more rights than the plugin has', async () => {
    await using plugin = await createPlugin('permissions-exec', EXEC, ALLOWED);
    const [echoed, status, root, interfaces] = await plugin.ask(() => {
      const { execFileSync, execSync, spawnSync } = process.getBuiltinModule('node:child_process');
      return [
        execSync('echo "$((6 * 7))" | tr 4 x').toString(),
        execFileSync('/bin/sh', ['-c', 'cat /proc/self/status']).toString(),
        spawnSync('/bin/sh', ['-c', 'echo x > /planted; id -u']).stdout.toString(),
        execSync('ls /sys/class/net').toString(),
      ] as const;
    });
    expect(echoed).toBe('x2\n');
    expect(status).toMatch(/^CapBnd:\t0{16}$/m);
    expect(status).toMatch(/^NoNewPrivs:\t1$/m);
    expect(status).toMatch(/^Seccomp:\t2$/m);
    expect(root).toMatch(/^[45]\d{4}\n$/);
    expect(interfaces).toBe('lo\n');
  });

  test('starts no program from /tmp, and none that gains rights', async () => {
    await using plugin = await createPlugin('permissions-tmp', EXEC, ALLOWED);
    const [started, setuid] = await plugin.ask(() => {
      const { spawnSync } = process.getBuiltinModule('node:child_process');
      const { chmodSync, copyFileSync, writeFileSync } = process.getBuiltinModule('node:fs');
      copyFileSync('/bin/busybox', '/tmp/echo');
      writeFileSync('/tmp/script', '#!/bin/sh\necho ran');
      chmodSync('/tmp/echo', 0o755);
      chmodSync('/tmp/script', 0o755);
      const codeOf = (file: string) =>
        (spawnSync(file, ['x']).error as NodeJS.ErrnoException | undefined)?.code;
      const setuid = spawnSync('/bin/find', ['/', '-perm', '/6000', '-type', 'f']).stdout.toString();
      return [[codeOf('/tmp/echo'), codeOf('/tmp/script')], setuid] as const;
    });
    expect(started).toEqual(['EACCES', 'EACCES']);
    expect(setuid).toBe('');
  });

  test('stays within the limit of processes', async () => {
    await using plugin = await createPlugin(
      'permissions-pids',
      {
        manifest: {
          ...EXEC.manifest,
          resources: { memory_mb: 96, cpu_percent: 100, timeout_seconds: 10, pids: 24 },
        },
      },
      ALLOWED,
    );
    const [started, code] = await plugin.ask(async () => {
      const { spawn } = process.getBuiltinModule('node:child_process');
      for (let started = 0; ; started++) {
        const child = spawn('/bin/sleep', ['30']);
        const code = await new Promise<string | null>((resolve) => {
          child.once('spawn', () => resolve(null));
          child.once('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? ''));
        });
        if (code !== null) return [started, code] as const;
      }
    });
    expect(code).toBe('EAGAIN');
    expect(started).toBeGreaterThan(2);
    expect(started).toBeLessThan(24);
  });

  test('kills a fork bomb with all its processes', async () => {
    await using plugin = await createPlugin('permissions-bomb', EXEC, ALLOWED);
    const result = await plugin.run(
      () => {
        process
          .getBuiltinModule('node:child_process')
          .spawn('/bin/sh', ['-c', 'bomb() { bomb | bomb & }; bomb; sleep 30'], {
            stdio: 'inherit',
            detached: true,
          });
        return new Promise((resolve) => setTimeout(resolve, 20_000));
      },
      null,
      { timeoutMs: 1500 },
    );
    expect(result.outcome).toMatch(/^(TIMEOUT|OUT_OF_MEMORY|PLUGIN_CRASHED|PLUGIN_ERROR)$/);
  });

  test('lets a child write to the channel only what the plugin itself could', async () => {
    await using plugin = await createPlugin('permissions-channel', EXEC, ALLOWED);
    const result = await plugin.run(async () => {
      const { spawnSync } = process.getBuiltinModule('node:child_process');
      spawnSync('/bin/sh', ['-c', 'echo from a child; echo to stderr >&2'], { stdio: 'inherit' });
      return 'done';
    });
    expect(result).toMatchObject({ outcome: 'OK', result: 'done' });
    expect(result.logs).toContainEqual({ level: 'info', source: 'stdout', message: 'from a child' });
  });

  test('is denied by the default policy, with what to change', async () => {
    const loading = createPlugin('permissions-denied', EXEC);
    await expect(loading).rejects.toMatchObject({
      code: 'POLICY_DENIED',
      problems: [
        {
          path: 'permissions.exec',
          message: expect.stringContaining('plugins.permissions-denied.allow.exec'),
        },
      ],
    });
  });

  test('of one plugin is not given to another (P6)', async () => {
    const policy = { plugins: { 'permissions-other': { allow: { exec: true } } } };
    await expect(createPlugin('permissions-mine', EXEC, { policy })).rejects.toMatchObject({
      code: 'POLICY_DENIED',
    });
  });
});

describe('the policy', () => {
  test('denies at once everything that a manifest may not have', async () => {
    const greedy = {
      manifest: {
        permissions: { exec: true, network: true, filesystem: { mounts: { data: 'rw' } } },
        resources: { memory_mb: 4096, timeout_seconds: 600 },
      },
    };
    const error = await createPlugin('permissions-greedy', greedy).catch((thrown) => thrown);
    expect(error.code).toBe('POLICY_DENIED');
    expect(error.problems.map(({ path }: { path: string }) => path).sort()).toEqual([
      'permissions.exec',
      'permissions.filesystem.mounts.data',
      'permissions.network',
      'resources.memory_mb',
      'resources.timeout_seconds',
    ]);
  });

  test('that pins other content refuses to load a plugin', async () => {
    const policy = { plugins: { 'permissions-pinned': { digest: `sha256:${'0'.repeat(64)}` } } };
    await expect(createPlugin('permissions-pinned', {}, { policy })).rejects.toMatchObject({
      code: 'POLICY_DENIED',
      problems: [
        { message: expect.stringContaining('pins the content') },
        { message: expect.stringContaining('`lurkbox files permissions-pinned`') },
      ],
    });
  });

  test('that names a missing runtime does not fall back to another (P6)', async () => {
    await using plugin = await createPlugin(
      'permissions-runtime',
      {},
      { policy: { oci_runtime: 'no-such-runtime' } },
    );
    const result = await plugin.run(() => 'it ran');
    expect(result).toMatchObject({ outcome: 'RUNTIME_UNAVAILABLE', result: null });
    expect(result.error?.message).toMatch(
      /`no-such-runtime` is not registered in the engine, which has: .*runc.* Register it there, or change `oci_runtime` in the policy/,
    );
  });

  test('with numbers for a plugin replaces those of its manifest', async () => {
    const policy = {
      plugins: { 'permissions-numbers': { resources: { memory_mb: 128, output_kb: 8, timeout_seconds: 1 } } },
    };
    await using plugin = await createPlugin('permissions-numbers', {}, { policy });
    expect(await plugin.run(() => 'x'.repeat(10_000))).toMatchObject({ outcome: 'OUTPUT_LIMIT' });
    const limit = await plugin.ask(() => process.constrainedMemory());
    expect(limit).toBe(128 * 1024 * 1024);
    expect(
      (
        await plugin.run(() => {
          for (;;);
        })
      ).error?.message,
    ).toMatch(/^No answer within 1 s/);
  });
});
