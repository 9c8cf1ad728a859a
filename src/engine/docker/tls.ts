import { X509Certificate } from 'node:crypto';
import { join } from 'node:path';
import { createSecureContext } from 'node:tls';
import { LurkboxError } from '../../errors.ts';
import { escapeAndCut } from '../../printable.ts';
import { readSetting, showName } from './config.ts';
import type { TlsOptions } from './endpoint.ts';

/** A bundle of all authorities of the world has some 250 KB. */
const MAX_PEM_BYTES = 4 * 1024 * 1024;
const MAX_REASON_CHARS = 300;

const FILES = { ca: 'ca.pem', cert: 'cert.pem', key: 'key.pem' } as const;

interface TlsFolder {
  readonly folder: string;
  readonly rejectUnauthorized: boolean;
  /** Whether the engine is verified by the `ca.pem` of the folder, and by no authority of the world. */
  readonly needsCa: boolean;
}

/**
 * The certificates of a folder, under the names that Docker gives them; `null` where it has none and need not.
 * @throws LurkboxError `OPTIONS_INVALID`
 */
export async function readTlsFolder({
  folder,
  rejectUnauthorized,
  needsCa,
}: TlsFolder): Promise<TlsOptions | null> {
  const read = (name: keyof typeof FILES) => readSetting(join(folder, FILES[name]), MAX_PEM_BYTES);
  const [ca, cert, key] = await Promise.all([read('ca'), read('cert'), read('key')]);
  if (ca === null && needsCa) throw unusable(folder, `there is no \`${FILES.ca}\` in it`);
  if ((cert === null) !== (key === null))
    throw unusable(folder, `of \`${FILES.cert}\` and \`${FILES.key}\` it has only one`);
  if (ca === null && cert === null) return null;
  const material = { ...(ca && { ca }), ...(cert && key && { cert, key }) };
  try {
    // Node takes a `ca` without a certificate for none at all, and then every authority of the world for a good one.
    if (ca !== null) new X509Certificate(ca);
  } catch {
    throw unusable(folder, `\`${FILES.ca}\` holds no certificate`);
  }
  try {
    createSecureContext(material);
  } catch (error) {
    throw unusable(folder, reasonOf(error as NodeJS.ErrnoException));
  }
  return { ...material, rejectUnauthorized, folder };
}

const MATERIAL_REASONS: Readonly<Record<string, string>> = {
  ERR_OSSL_X509_KEY_VALUES_MISMATCH: `\`${FILES.key}\` is not the key of \`${FILES.cert}\``,
  ERR_OSSL_PEM_NO_START_LINE: `\`${FILES.cert}\` or \`${FILES.key}\` is not in PEM`,
  ERR_OSSL_CRYPTO_INTERRUPTED_OR_CANCELLED: `\`${FILES.key}\` needs a passphrase, which nobody can enter here`,
};

function reasonOf({ code = '', message }: NodeJS.ErrnoException): string {
  return MATERIAL_REASONS[code] ?? `they cannot be used (${escapeAndCut(message, MAX_REASON_CHARS)})`;
}

function unusable(folder: string, reason: string): LurkboxError {
  return new LurkboxError(
    'OPTIONS_INVALID',
    `The certificates for the engine are looked for in ${showName(folder)}: ${reason}. ` +
      'Put `ca.pem`, `cert.pem` and `key.pem` of that engine there, or name another folder with `DOCKER_CERT_PATH`.',
  );
}

const UNKNOWN_AUTHORITY = [
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
  'UNABLE_TO_GET_ISSUER_CERT',
  'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
  'SELF_SIGNED_CERT_IN_CHAIN',
  'DEPTH_ZERO_SELF_SIGNED_CERT',
  'CERT_SIGNATURE_FAILURE',
  'CERT_UNTRUSTED',
  'INVALID_CA',
];

interface TlsRule {
  readonly when: (code: string, message: string) => boolean;
  readonly reason: (message: string, names: string) => string;
}

const RULES: readonly TlsRule[] = [
  {
    when: (code) => UNKNOWN_AUTHORITY.includes(code),
    reason: () =>
      'its certificate is signed by none that is trusted here; take the `ca.pem` with which the engine was set up',
  },
  {
    when: (code) => code === 'CERT_HAS_EXPIRED' || code === 'CERT_NOT_YET_VALID',
    reason: () => 'its certificate is not valid at this time; renew it, or set the clock',
  },
  {
    when: (code) => code === 'ERR_TLS_CERT_ALTNAME_INVALID',
    reason: (_message, names) =>
      `its certificate is that of another host; name the engine as its certificate does (${names})`,
  },
  {
    when: (code, message) =>
      code === 'ERR_SSL_WRONG_VERSION_NUMBER' || /wrong version number|packet length/.test(message),
    reason: () =>
      'it does not speak TLS at that port; leave `DOCKER_TLS_VERIFY` and `DOCKER_TLS` out, or name its port for TLS (often 2376)',
  },
  {
    when: (code) => /^ERR_SSL_.*ALERT/.test(code), // One of them is `ERR_SSL_SSL/TLS_ALERT_BAD_CERTIFICATE`.
    reason: () =>
      'it refuses the certificate of this client; take the `cert.pem` and `key.pem` that its authority has signed',
  },
  { when: (code) => /^ERR_(SSL|TLS|OSSL)_|^CERT_/.test(code), reason: (message) => `TLS fails: ${message}` },
];

interface TlsError extends NodeJS.ErrnoException {
  /** That of the other side, where it is the fault. */
  readonly cert?: { readonly subjectaltname?: string };
}

/** What an error of TLS says of the engine or of this client, and what to do; `null` where it is no error of TLS. */
export function tlsReason({ code = '', message, cert }: TlsError): string | null {
  const rule = RULES.find(({ when }) => when(code, message));
  if (rule === undefined) return null;
  const names = cert?.subjectaltname ?? 'it names none';
  return rule.reason(escapeAndCut(message.trim(), MAX_REASON_CHARS), escapeAndCut(names, MAX_REASON_CHARS));
}
