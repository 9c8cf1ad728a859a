import { deepFreeze } from '../deep-freeze.ts';
import { MAX_DOCUMENT_BYTES, parseDocument } from '../documents/parse-document.ts';
import { type Checked, check, limitProblems } from '../documents/problems.ts';
import { LurkboxError, type Problem } from '../errors.ts';
import { quotePath, quoteValue } from '../printable.ts';
import { readResolvedFile, readWrittenFile } from '../storage/files.ts';
import type { PathError } from '../storage/path-error.ts';
import { readCertificates } from './certificates.ts';
import { findContradictions } from './contradictions.ts';
import { folderFault } from './mount-folder.ts';
import { DEFAULT_POLICY, type Policy, PolicySchema } from './schema.ts';

/** Name of the policy file in the root of a workspace. */
export const POLICY_FILE = 'lurkbox.policy.json';

export interface LoadPolicyOptions {
  /** `resolved`: a link at any level is refused. @default written by a person: links are followed, this once */
  readonly path?: 'written' | 'resolved';
}

/**
 * Reads a policy file; `null` is the default policy. Throws `POLICY_INVALID` with every problem of the file, of the
 * rules against each other, and of the host folders that it binds.
 */
export async function loadPolicy(
  file: string | null,
  { path = 'written' }: LoadPolicyOptions = {},
): Promise<Policy> {
  if (file === null) return DEFAULT_POLICY;
  const source = `The policy file ${quotePath(file)}`;
  const bytes = await readPolicyFile(file, path, source);
  const document = parseDocument(bytes);
  if (!document.ok) throw invalid(source, document.problems);
  return await admit(document.value, source);
}

/** The same for a policy that is given as a value. */
export async function parsePolicy(value: unknown): Promise<Policy> {
  return await admit(value, 'The policy');
}

/** All that can be said without looking at the host. Pure. */
export function checkPolicy(value: unknown): Checked<Policy> {
  const checked = check(PolicySchema, value);
  if (!checked.ok) return checked;
  const problems = findContradictions(checked.value);
  return problems.length > 0 ? { ok: false, problems } : checked;
}

async function admit(value: unknown, source: string): Promise<Policy> {
  const parsed = check(PolicySchema, value);
  if (!parsed.ok) throw invalid(source, parsed.problems);
  const { certificates, problems: inFiles } = await readCaFiles(parsed.value);
  const problems = [...findContradictions(parsed.value), ...(await mountProblems(parsed.value)), ...inFiles];
  if (problems.length > 0) throw invalid(source, problems);
  return deepFreeze(
    Object.keys(certificates).length === 0 ? parsed.value : { ...parsed.value, certificates },
  );
}

async function readPolicyFile(file: string, path: 'written' | 'resolved', source: string): Promise<Buffer> {
  const read = path === 'written' ? readWrittenFile : readResolvedFile;
  let bytes: Buffer | null;
  try {
    bytes = await read(file, MAX_DOCUMENT_BYTES);
  } catch (cause) {
    const { reason } = cause as PathError;
    throw new LurkboxError('POLICY_INVALID', `${source} cannot be read (${reason}).`, { cause });
  }
  if (bytes !== null) return bytes;
  throw new LurkboxError('POLICY_INVALID', `${source} is larger than ${MAX_DOCUMENT_BYTES / 1024} KiB.`);
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

function invalid(source: string, problems: readonly Problem[]): LurkboxError {
  return new LurkboxError('POLICY_INVALID', `${source} breaks the rules of the policy.`, {
    problems: limitProblems(problems),
  });
}
