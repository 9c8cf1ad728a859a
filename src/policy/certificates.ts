import { X509Certificate } from 'node:crypto';
import { rootCertificates } from 'node:tls';
import { readWrittenFile } from '../storage/files.ts';
import type { PathError } from '../storage/path-error.ts';

/** More than the bundle of any system. */
const MAX_FILE_BYTES = 1024 * 1024;
const MAX_CERTIFICATES = 1000;
/** One variable of an environment has at most 128 KiB, and all together have less than 2 MiB. */
const MAX_PART_BYTES = 96 * 1024;
const MAX_PARTS = 3;

// No block goes on behind the beginning of another one: else a file of beginnings alone is read to its end for each of them.
const BLOCK = /-----BEGIN ([A-Z0-9 ]{1,40})-----(?:(?!-----BEGIN )[\s\S])*?-----END \1-----/g;
const CERTIFICATE_LABELS = ['CERTIFICATE', 'TRUSTED CERTIFICATE', 'X509 CERTIFICATE'];

export type Certificates =
  | { readonly ok: true; readonly parts: readonly string[] }
  /** What is wrong with the file, to stand behind its path. */
  | { readonly ok: false; readonly fault: string };

/**
 * The certificates in a file on the host, written anew, so that nothing else of it goes on: without those that Node brings along,
 * because the file is often a system's whole bundle.
 */
export async function readCertificates(path: string): Promise<Certificates> {
  let bytes: Buffer | null;
  try {
    bytes = await readWrittenFile(path, MAX_FILE_BYTES);
  } catch (error) {
    return failed(`cannot be read (${(error as PathError).reason})`);
  }
  if (bytes === null) return failed(`is larger than ${MAX_FILE_BYTES / 1024} KiB`);
  return parseCertificates(bytes.toString('latin1'));
}

/** Nothing of the text is quoted in a fault: it may be any file of the host. */
export function parseCertificates(text: string): Certificates {
  const blocks = [...text.matchAll(BLOCK)];
  if (/-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY-----/.test(text))
    return failed('holds a private key; name a file that holds certificates only');
  if (blocks.length === 0) return failed('holds no certificate in PEM (`-----BEGIN CERTIFICATE-----`)');
  if (blocks.length > MAX_CERTIFICATES) return failed(`holds more than ${MAX_CERTIFICATES} certificates`);
  const known = new Set(rootCertificates.map((pem) => pem.replace(/-----[^-]*-----|\s/g, '')));
  const others = new Set<string>();
  for (const [index, [block, label = '']] of blocks.entries()) {
    const certificate = CERTIFICATE_LABELS.includes(label) ? parseCertificate(block) : null;
    if (certificate === null) return failed(`holds something else than certificates in block ${index + 1}`);
    if (!known.has(certificate.raw.toString('base64'))) others.add(certificate.toString().trim());
  }
  const parts = toParts([...others]);
  if (parts.length <= MAX_PARTS) return { ok: true, parts };
  return failed(
    `holds ${others.size} certificates that Node does not know, and at most ${(MAX_PARTS * MAX_PART_BYTES) / 1024} KiB of them can be handed over; name a file with those of your own authorities`,
  );
}

function parseCertificate(block: string): X509Certificate | null {
  try {
    return new X509Certificate(block);
  } catch {
    return null;
  }
}

function toParts(certificates: readonly string[]): string[] {
  const parts: string[] = [];
  for (const pem of certificates) {
    const last = parts.at(-1);
    if (last === undefined || last.length + pem.length + 1 > MAX_PART_BYTES) parts.push(pem);
    else parts[parts.length - 1] = `${last}\n${pem}`;
  }
  return parts;
}

function failed(fault: string): Certificates {
  return { ok: false, fault };
}
