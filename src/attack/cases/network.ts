import { type AttackGroup, all, heldIf, judgeAnswer, type Program, type Verdict } from '../attack.ts';

interface Target {
  readonly name: string;
  /** A host and a port, or the path of a Unix socket; `@` stands for the NUL of an abstract one. */
  readonly host?: string;
  readonly port?: number;
  readonly path?: string;
}

/** Tries all targets at once and answers the error of each. */
const connectTo = async (targets: readonly Target[]): Promise<Record<string, string>> => {
  const { connect } = process.getBuiltinModule('node:net');
  const attempt = ({ host, port = 0, path }: Target): Promise<string> =>
    new Promise((resolve) => {
      const socket =
        path === undefined ? connect({ host: host ?? '', port }) : connect({ path: path.replace('@', '\0') });
      socket.setTimeout(1500);
      socket.once('connect', () => resolve('connected'));
      // An answer that is there already comes first: a host that stood still lets the timer go off before it.
      socket.once('timeout', () => setImmediate(() => setImmediate(() => resolve('no answer'))));
      socket.once('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message));
    });
  const codes = await Promise.all(targets.map(attempt));
  return Object.fromEntries(targets.map(({ name }, index) => [name, codes[index] ?? '']));
};

const askNames = async (): Promise<Record<string, string>> => {
  const dns = process.getBuiltinModule('node:dns/promises');
  const { createSocket } = process.getBuiltinModule('node:dgram');
  const codeOf = (promise: Promise<unknown>): Promise<string> =>
    promise.then(
      () => 'answered',
      (error) => error.code ?? error.cause?.code ?? String(error),
    );
  const resolver = new dns.Resolver({ timeout: 500, tries: 1 });
  resolver.setServers(['192.0.2.53', '127.0.0.11']);
  const send = (family: 'udp4' | 'udp6', address: string, port: number): Promise<string> =>
    new Promise((resolve) => {
      const socket = createSocket(family);
      socket.on('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message));
      socket.send('data', port, address, (error) => {
        resolve((error as NodeJS.ErrnoException | null)?.code ?? 'sent');
        socket.close();
      });
    });
  const [lookup, resolve, fetched, ...datagrams] = await Promise.all([
    codeOf(dns.lookup('example.com')),
    codeOf(resolver.resolve4('example.com')),
    codeOf(fetch('http://metadata.google.internal/')),
    send('udp4', '192.0.2.53', 53),
    send('udp4', '169.254.169.254', 53),
    send('udp4', '255.255.255.255', 67),
    send('udp6', '2001:db8::53', 53),
    send('udp6', 'ff02::fb', 5353),
  ]);
  return {
    lookup,
    resolve,
    fetch: fetched,
    ...Object.fromEntries(datagrams.map((code, i) => [`datagram ${i + 1}`, code])),
  };
};

/** Hosts as they look from a container that has a network, and what listens there. */
const HOSTS: readonly Target[] = [
  { name: 'metadata service', host: '169.254.169.254', port: 80 },
  { name: 'metadata service over IPv6', host: 'fd00:ec2::254', port: 80 },
  { name: 'container credentials', host: '169.254.170.2', port: 80 },
  { name: 'gateway of the default bridge', host: '172.17.0.1', port: 80 },
  { name: 'a private network', host: '10.0.0.1', port: 443 },
  { name: 'a home network', host: '192.168.0.1', port: 80 },
  { name: 'the internet', host: '192.0.2.1', port: 443 },
  { name: 'the internet over IPv6', host: '2001:db8::1', port: 443 },
  { name: 'a neighbour on the link', host: 'fe80::1', port: 80 },
];

const ENGINES: readonly Target[] = [
  ...[2375, 2376].flatMap((port) =>
    ['127.0.0.1', '::1', '172.17.0.1', '192.168.65.7', '192.168.65.254', '10.0.2.2'].map((host) => ({
      name: `${host} port ${port}`,
      host,
      port,
    })),
  ),
  ...['host.docker.internal', 'gateway.docker.internal'].map((host) => ({ name: host, host, port: 2375 })),
];

const ENGINE_SOCKETS: readonly Target[] = [
  '/var/run/docker.sock',
  '/run/docker.sock',
  '/run/containerd/containerd.sock',
  '/run/podman/podman.sock',
  '/run/crio/crio.sock',
  '/run/user/1000/docker.sock',
  '/run/dbus/system_bus_socket',
  '/run/systemd/private',
  '@/containerd-shim/moby/any/shim.sock',
  '@/tmp/.X11-unix/X0',
].map((path) => ({ name: path, path }));

export const NETWORK: AttackGroup = {
  area: 'The network and the engine',
  attacks: [
    {
      id: 'network-hosts',
      title: 'it reaches no metadata service, gateway, neighbour or internet',
      promises: ['P6'],
      attempt: { program: connectTo as Program, args: HOSTS },
      judge: judgeAnswer((codes: Codes) => refusedAll(codes, NO_WAY, HOSTS.length)),
    },
    {
      id: 'network-names',
      title: 'it resolves no name and sends no datagram',
      promises: ['P6'],
      attempt: { program: askNames as Program },
      judge: judgeAnswer((codes: Codes) => refusedAll(codes, NO_NAME, 8)),
    },
    {
      id: 'network-engine',
      title: 'it reaches no engine over TCP',
      promises: ['P6'],
      attempt: { program: connectTo as Program, args: ENGINES },
      judge: judgeAnswer((codes: Codes) => refusedAll(markLoopback(codes), NO_ENGINE, ENGINES.length)),
    },
    {
      id: 'network-sockets',
      title: 'it finds no socket of an engine or of the host, by path or by abstract name',
      promises: ['P6'],
      attempt: { program: connectTo as Program, args: ENGINE_SOCKETS },
      judge: judgeAnswer((codes: Codes) => refusedAll(codes, NO_SOCKET, ENGINE_SOCKETS.length)),
    },
  ],
};

type Codes = Readonly<Record<string, string>>;

/** EAFNOSUPPORT: this kernel has no IPv6. */
const NO_WAY = /^(ENETUNREACH|EADDRNOTAVAIL|EHOSTUNREACH|EINVAL|EAFNOSUPPORT)$/;
/** A refusal of somebody else would mean that he was reached; on its own loopback device nobody listens. */
const NO_ENGINE =
  /^(ENETUNREACH|EADDRNOTAVAIL|EHOSTUNREACH|EINVAL|EAFNOSUPPORT|EAI_AGAIN|ENOTFOUND|ECONNREFUSED on loopback)$/;
const NO_NAME =
  /^(EAI_AGAIN|ENOTFOUND|ECONNREFUSED|ETIMEOUT|ESERVFAIL|ENETUNREACH|EADDRNOTAVAIL|EHOSTUNREACH|EACCES|EINVAL|EAFNOSUPPORT)$/;
const NO_SOCKET = /^(ENOENT|ECONNREFUSED|EACCES|ENOTDIR)$/;

function markLoopback(codes: Codes): Codes {
  const mark = ([name, code]: [string, string]): [string, string] =>
    /^(127\.0\.0\.1|::1) /.test(name) && code === 'ECONNREFUSED'
      ? [name, `${code} on loopback`]
      : [name, code];
  return Object.fromEntries(Object.entries(codes).map(mark));
}

function refusedAll(codes: Codes, refusal: RegExp, count: number): Verdict {
  const wrong = Object.entries(codes).filter(([, code]) => !refusal.test(code));
  return all(
    heldIf(Object.keys(codes).length === count, `answers for ${count} targets`, JSON.stringify(codes)),
    heldIf(
      wrong.length === 0,
      'no way to any of them',
      wrong.map(([name, code]) => `${name}: ${code}`).join(', '),
    ),
  );
}
