import { type ChildProcessByStdio, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Readable, Writable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { promisify } from 'node:util';
import { toExecuteRecord } from '../src/execution/request.ts';
import type { CreateOptions } from '../src/index.ts';
import { RecordReader } from '../src/protocol/framing.ts';
import { EXECUTE_ID, type ExecuteParams } from '../src/protocol/messages.ts';

export interface Timing {
  /** From the start until the response of the plugin was read. */
  readonly resultMs: number;
  /** From the start until the container was gone. */
  readonly goneMs: number;
}

export interface DockerRun {
  /** Executes the plugin once in a fresh container. */
  measure(params: ExecuteParams): Promise<Timing>;
}

/**
 * `docker run --rm -i` with the options of lurkbox's own containers. The command line has no word for
 * `NetworkDisabled`; everything else is the same.
 */
export async function prepareDockerRun(
  options: CreateOptions,
  { image, address, folder }: { image: string; address: string; folder: string },
): Promise<DockerRun> {
  const seccompFile = join(folder, 'seccomp.json');
  await writeFile(seccompFile, seccompProfileOf(options));
  const args = ['run', '--rm', '-i', ...toFlags(options, seccompFile), image, ...options.Entrypoint.slice(1)];
  const env = { ...process.env, DOCKER_HOST: address };
  return {
    measure: async (params) => {
      const startedAt = performance.now();
      const child = spawn('docker', args, { env, stdio: ['pipe', 'pipe', 'pipe'] });
      return measure(child, params, startedAt);
    },
  };
}

export async function dockerClientVersion(): Promise<string> {
  const { stdout } = await promisify(execFile)('docker', ['--version']);
  return stdout.trim();
}

async function measure(
  child: ChildProcessByStdio<Writable, Readable, Readable>,
  params: ExecuteParams,
  startedAt: number,
): Promise<Timing> {
  const closed = once(child, 'close');
  const complaint = text(child.stderr);
  let resultMs: number | undefined;
  const reader = new RecordReader({ maxRecordBytes: 1024 * 1024, maxLineBytes: 1024 });
  for await (const chunk of child.stdout) {
    for (const { kind, ...piece } of reader.push(chunk as Buffer)) {
      if (kind !== 'record' || !('bytes' in piece)) continue;
      const message = JSON.parse(piece.bytes.toString('utf8'));
      if (message.method === 'ready') child.stdin.write([...toExecuteRecord(params)].join(''));
      if (message.id !== EXECUTE_ID) continue;
      resultMs = performance.now() - startedAt;
      // The runner leaves when the host hangs up.
      child.stdin.end();
    }
  }
  await closed;
  const goneMs = performance.now() - startedAt;
  if (resultMs === undefined) throw new Error(`\`docker run\` gave no response: ${await complaint}`);
  return { resultMs, goneMs };
}

const SECCOMP = 'seccomp=';

function seccompProfileOf({ HostConfig }: CreateOptions): string {
  const option = HostConfig.SecurityOpt.find((written) => written.startsWith(SECCOMP));
  if (option === undefined) throw new Error('The options have no seccomp profile.');
  return option.slice(SECCOMP.length);
}

function toFlags(options: CreateOptions, seccompFile: string): string[] {
  const { HostConfig: host } = options;
  const securityOpt = host.SecurityOpt.map((option) =>
    option.startsWith(SECCOMP) ? `${SECCOMP}${seccompFile}` : option,
  );
  return [
    ...['--user', options.User],
    ...['--workdir', options.WorkingDir],
    ...['--entrypoint', options.Entrypoint[0] ?? ''],
    ...options.Env.flatMap((variable) => ['--env', variable]),
    ...['--no-healthcheck'],
    ...['--stop-signal', options.StopSignal],
    ...['--read-only'],
    ...['--network', host.NetworkMode],
    ...['--ipc', host.IpcMode],
    ...['--cgroupns', host.CgroupnsMode],
    ...host.CapDrop.flatMap((capability) => ['--cap-drop', capability]),
    ...securityOpt.flatMap((option) => ['--security-opt', option]),
    ...Object.entries(host.Tmpfs).flatMap(([path, written]) => ['--tmpfs', `${path}:${written}`]),
    ...['--memory', `${host.Memory}`],
    ...['--memory-swap', `${host.MemorySwap}`],
    ...['--cpus', `${host.NanoCpus / 1e9}`],
    ...['--pids-limit', `${host.PidsLimit}`],
    ...['--oom-score-adj', `${host.OomScoreAdj}`],
    ...host.Ulimits.flatMap(({ Name, Soft, Hard }) => ['--ulimit', `${Name}=${Soft}:${Hard}`]),
    ...['--log-driver', host.LogConfig.Type],
    ...['--runtime', host.Runtime],
  ];
}
