import { lstatSync, readdirSync, readFileSync } from 'node:fs';
import { knock, tryAll } from './attempt.mjs';

const SOCKETS = [
  '/var/run/docker.sock',
  '/run/docker.sock',
  '/run/docker/containerd/containerd.sock',
  '/run/containerd/containerd.sock',
  '/run/podman/podman.sock',
  '/run/crio/crio.sock',
  '/run/user/0/docker.sock',
  '/run/dbus/system_bus_socket',
  '/run/systemd/private',
  '/tmp/.X11-unix/X0',
  '/host/var/run/docker.sock',
];
// Of containerd's shims (CVE-2020-15257), and of what else likes the abstract namespace.
const ABSTRACT = ['\0/containerd-shim/x.sock', '\0/tmp/.X11-unix/X0', '\0/org/kernel/udev/monitor'];

export async function execute({ inputData: { lures } }) {
  const targets = [...SOCKETS, ...ABSTRACT, lures.abstractSocket];
  const answers = await Promise.all(targets.map((path) => tryAll({ code: () => knock(path) })));
  return {
    codes: [...new Set(answers.map(({ code }) => code))].sort(),
    inFolders: findSockets(''),
    known: readFileSync('/proc/net/unix', 'utf8')
      .split('\n')
      .filter((line) => /[/@]/.test(line)),
  };
}

function findSockets(folder) {
  return entriesOf(folder).flatMap((name) => {
    const path = `${folder}/${name}`;
    if (['/proc', '/sys'].includes(path)) return [];
    const stats = lstatSync(path);
    if (stats.isSocket()) return [path];
    return stats.isDirectory() ? findSockets(path) : [];
  });
}

function entriesOf(folder) {
  try {
    return readdirSync(folder || '/');
  } catch {
    return [];
  }
}
