import { execFileSync } from 'node:child_process';
import { copyFileSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** Certificates of one authority, made for a test, in folders as Docker lays them out. */
export interface Certificates extends Disposable {
  /** `ca.pem`, `cert.pem` and `key.pem` of a client. */
  readonly client: string;
  /** The same of a server, for `localhost` and `127.0.0.1`. */
  readonly server: string;
  /** Another folder, with a certificate for these names and days. */
  issue(name: string, options: { names: string; days?: number }): string;
}

const NEW_KEY = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];

export function createCertificates(): Certificates {
  const root = mkdtempSync(join(tmpdir(), 'lurkbox-certificates-'));
  const [ca, caKey] = [join(root, 'ca.pem'), join(root, 'ca-key.pem')];
  openssl('-days', '2', '-subj', '/CN=authority', '-keyout', caKey, '-out', ca);
  const issue: Certificates['issue'] = (name, { names, days = 2 }) => {
    const folder = join(root, name);
    mkdirSync(folder);
    copyFileSync(ca, join(folder, 'ca.pem'));
    const out = ['-keyout', join(folder, 'key.pem'), '-out', join(folder, 'cert.pem')];
    const subject = ['-days', String(days), '-subj', `/CN=${name}`, '-addext', `subjectAltName=${names}`];
    openssl('-CA', ca, '-CAkey', caKey, '-addext', 'basicConstraints=CA:FALSE', ...subject, ...out);
    return folder;
  };
  return {
    client: issue('client', { names: 'DNS:client' }),
    server: issue('server', { names: 'DNS:localhost,IP:127.0.0.1' }),
    issue,
    [Symbol.dispose]: () => rmSync(root, { recursive: true }),
  };
}

function openssl(...args: readonly string[]): void {
  execFileSync('openssl', ['req', '-x509', ...NEW_KEY, ...args], { stdio: 'pipe' });
}
