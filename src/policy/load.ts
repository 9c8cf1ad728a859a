import { realpath } from 'node:fs/promises';
import { deepFreeze } from '../deep-freeze.ts';
import { LurkboxError, type Problem } from '../errors.ts';
import { MAX_DOCUMENT_BYTES, parseDocument } from '../manifest/parse-document.ts';
import { type Checked, check, limitProblems } from '../manifest/problems.ts';
import { readRegularFile } from '../manifest/read-file.ts';
import { show, showPath } from '../printable.ts';
import { findContradictions } from './contradictions.ts';
import { folderFault } from './mount-folder.ts';
import { DEFAULT_POLICY, type Policy, PolicySchema } from './schema.ts';

/** Name of the policy file in the root of a workspace. */
export const POLICY_FILE = 'lurkbox.policy.json';

/**
 * Reads a policy file; `null` is the default policy. Throws `POLICY_INVALID` with every problem of the file, of the
 * rules against each other, and of the host folders that it binds.
 */
export async function loadPolicy(file: string | null): Promise<Policy> {
  if (file === null) return DEFAULT_POLICY;
  const source = `The policy file ${showPath(file)}`;
  const bytes = await readPolicyFile(file, source);
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
  const problems = [...findContradictions(parsed.value), ...(await mountProblems(parsed.value))];
  if (problems.length > 0) throw invalid(source, problems);
  return deepFreeze(parsed.value);
}

async function readPolicyFile(file: string, source: string): Promise<Buffer> {
  let bytes: Buffer | null;
  try {
    bytes = await readRegularFile(await realpath(file), MAX_DOCUMENT_BYTES);
  } catch (cause) {
    const { code = 'no reason given' } = cause as NodeJS.ErrnoException;
    throw new LurkboxError('POLICY_INVALID', `${source} cannot be read (${code}).`, { cause });
  }
  if (bytes !== null) return bytes;
  throw new LurkboxError('POLICY_INVALID', `${source} is larger than ${MAX_DOCUMENT_BYTES / 1024} KiB.`);
}

async function mountProblems(policy: Policy): Promise<Problem[]> {
  const checks = Object.entries(policy.allow.mounts).map(async ([name, { path }]) => {
    const fault = await folderFault(path);
    const message = `expected an existing folder; ${show(path)} ${fault}`;
    return fault === null ? [] : [{ path: `allow.mounts.${name}.path`, message }];
  });
  return (await Promise.all(checks)).flat();
}

function invalid(source: string, problems: readonly Problem[]): LurkboxError {
  return new LurkboxError('POLICY_INVALID', `${source} breaks the rules of the policy.`, {
    problems: limitProblems(problems),
  });
}
