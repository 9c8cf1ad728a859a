import { execFile } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { DockerCreateOptions } from '../../src/index.ts';
import { callProgram } from './conversation.ts';
import type { Peer } from './peer.ts';
import { PEER_LABEL, type Subject } from './subject.ts';

/**
 * `docker run --rm -i` with the options of lurkbox's own containers. The command line has no word for
 * `NetworkDisabled`; everything else is the same.
 */
export async function createDockerRun({
  options,
  image,
  address,
  folder,
  entryPoint,
}: Subject): Promise<Peer> {
  await dockerClientVersion();
  const seccompFile = join(folder, 'seccomp.json');
  await writeFile(seccompFile, seccompProfileOf(options));
  const flags = toFlags(options, seccompFile);
  const args = ['run', '--rm', '-i', '--label', PEER_LABEL, ...flags, image, ...options.Entrypoint.slice(1)];
  const program = { command: 'docker', args, env: { ...process.env, DOCKER_HOST: address } };
  return { id: 'docker-run', call: (input) => callProgram(program, { entryPoint, input }) };
}

export async function dockerClientVersion(): Promise<string> {
  const { stdout } = await promisify(execFile)('docker', ['--version']);
  return stdout.trim();
}

const SECCOMP = 'seccomp=';

function seccompProfileOf({ HostConfig }: DockerCreateOptions): string {
  const option = HostConfig.SecurityOpt.find((written) => written.startsWith(SECCOMP));
  if (option === undefined) throw new Error('The options have no seccomp profile.');
  return option.slice(SECCOMP.length);
}

function toFlags(options: DockerCreateOptions, seccompFile: string): string[] {
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
