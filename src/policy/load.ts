import { deepFreeze } from '../deep-freeze.ts';
import { MAX_DOCUMENT_BYTES, parseDocument } from '../documents/parse-document.ts';
import { type Checked, check, limitProblems } from '../documents/problems.ts';
import { LurkboxError, type Problem } from '../errors.ts';
import { quotePath, quoteValue } from '../printable.ts';
import { readResolvedFile, readWrittenFile } from '../storage/files.ts';
import type { PathError } from '../storage/path-error.ts';
import { readCertificates } from './certificates.ts';
import { findContradictions } from './contradictions.ts';
import { atWrittenPaths, type FormerKey, toNewKeys } from './former-keys.ts';
import { folderFault } from './mount-folder.ts';
import { DEFAULT_POLICY, type Policy, PolicySchema } from './schema.ts';

/** Name of the policy file in the root of a workspace. */
export const POLICY_FILE = 'lurkbox.policy.json';

export interface LoadPolicyOptions {
  /** `resolved`: a link at any level is refused. @default written by a person: links are followed, this once */
  readonly path?: 'written' | 'resolved';
  /** Told where keys have their former names. */
  readonly onFormerKeys?: (keys: readonly FormerKey[]) => void;
}

/** The problems of a policy, or the policy where it has none. */
export interface Examined {
  readonly policy: Policy | null;
  readonly problems: readonly Problem[];
  readonly formerKeys: readonly FormerKey[];
  /** It is JSON without a key that stands twice. */
  readonly isDocument: boolean;
  /** A key is there under its former name and under the one of today. */
  readonly isAmbiguous: boolean;
}

/**
 * Reads a policy file; `null` is the default policy. Throws `POLICY_INVALID` with every problem of the file, of the
 * rules against each other, and of the host folders that it binds.
 */
export async function loadPolicy(file: string | null, options: LoadPolicyOptions = {}): Promise<Policy> {
  if (file === null) return DEFAULT_POLICY;
  const examined = await examineDocument(await readPolicyFile(file, options.path));
  return admit(examined, sourceOf(file), options);
}

/** The same for a policy that is given as a value. */
export async function parsePolicy(
  value: unknown,
  options: Omit<LoadPolicyOptions, 'path'> = {},
): Promise<Policy> {
  return admit(await examine(value), 'The policy', options);
}

/** Finds every problem that shows without looking at the host. Pure. */
export function checkPolicy(written: unknown): Checked<Policy> {
  const { value, formerKeys, problems: twice } = toNewKeys(written);
  const checked = check(PolicySchema, value);
  const found = checked.ok ? findContradictions(checked.value) : checked.problems;
  const problems = [...twice, ...atWrittenPaths(found, formerKeys)];
  return checked.ok && problems.length === 0 ? checked : { ok: false, problems };
}

/** The bytes of a policy file. @throws LurkboxError `POLICY_INVALID` */
export async function readPolicyFile(
  file: string,
  path: 'written' | 'resolved' = 'written',
): Promise<Buffer> {
  const read = path === 'written' ? readWrittenFile : readResolvedFile;
  let bytes: Buffer | null;
  try {
    bytes = await read(file, MAX_DOCUMENT_BYTES);
  } catch (cause) {
    const { reason } = cause as PathError;
    throw new LurkboxError('POLICY_INVALID', `${sourceOf(file)} cannot be read (${reason}).`, { cause });
  }
  if (bytes !== null) return bytes;
  throw new LurkboxError(
    'POLICY_INVALID',
    `${sourceOf(file)} is larger than ${MAX_DOCUMENT_BYTES / 1024} KiB.`,
  );
}

export async function examineDocument(bytes: Buffer): Promise<Examined> {
  const document = parseDocument(bytes);
  if (document.ok) return examine(document.value);
  const { problems } = document;
  return { policy: null, problems, formerKeys: [], isDocument: false, isAmbiguous: false };
}

async function examine(written: unknown): Promise<Examined> {
  const { value, formerKeys, problems: twice } = toNewKeys(written);
  const checked = check(PolicySchema, value);
  const { policy, problems } = checked.ok ? await examineHost(checked.value) : { policy: null, ...checked };
  return {
    policy,
    problems: [...twice, ...atWrittenPaths(problems, formerKeys)],
    formerKeys,
    isDocument: true,
    isAmbiguous: twice.length > 0,
  };
}

/** Also checks the rules against each other, and against the host. */
async function examineHost(policy: Policy): Promise<{ policy: Policy; problems: readonly Problem[] }> {
  const { certificates, problems: inFiles } = await readCaFiles(policy);
  return {
    policy: Object.keys(certificates).length === 0 ? policy : { ...policy, certificates },
    problems: [...findContradictions(policy), ...(await mountProblems(policy)), ...inFiles],
  };
}

function admit(
  { policy, problems, formerKeys }: Examined,
  source: string,
  { onFormerKeys = () => {} }: LoadPolicyOptions,
): Policy {
  if (policy === null || problems.length > 0)
    throw new LurkboxError('POLICY_INVALID', `${source} breaks the rules of the policy.`, {
      problems: limitProblems(problems),
    });
  if (formerKeys.length > 0) onFormerKeys(formerKeys);
  return deepFreeze(policy);
}

function sourceOf(file: string): string {
  return `The policy file ${quotePath(file)}`;
}

async function mountProblems(policy: Policy): Promise<Problem[]> {
  const checks = Object.entries(policy.allow.mounts).map(async ([name, { path }]) => {
    const fault = await folderFault(path, policy.uids);
    const message = `expected an existing folder; ${quoteValue(path)} ${fault}`;
    return fault === null ? [] : [{ path: `allow.mounts.${name}.path`, message }];
  });
  return (await Promise.all(checks)).flat();
}

/** Each file once, however many plugins it is for. */
async function readCaFiles(policy: Policy) {
  const named = [
    { path: 'ca_file', file: policy.ca_file },
    ...Object.entries(policy.plugins).map(([name, own]) => ({
      path: `plugins.${name}.ca_file`,
      file: own.ca_file,
    })),
  ].flatMap(({ path, file }) => (typeof file === 'string' ? [{ path, file }] : []));
  const certificates: Record<string, readonly string[]> = Object.create(null);
  const problems: Problem[] = [];
  for (const file of new Set(named.map(({ file }) => file))) {
    const read = await readCertificates(file);
    if (read.ok) certificates[file] = read.parts;
    else
      for (const { path } of named.filter((one) => one.file === file))
        problems.push({
          path,
          message: `expected a file with certificates in PEM; ${quotePath(file)} ${read.fault}`,
        });
  }
  return { certificates, problems };
}
