import { MAX_DOCUMENT_BYTES, parseDocument } from '../documents/parse-document.ts';
import { check, limitProblems } from '../documents/problems.ts';
import { LurkboxError, type Problem } from '../errors.ts';
import { quotePath } from '../printable.ts';
import { readWrittenFile } from '../storage/files.ts';
import type { PathError } from '../storage/path-error.ts';
import { findFaults } from './rules.ts';
import { type Workflow, type WorkflowDocument, WorkflowSchema } from './schema.ts';

/**
 * Reads a workflow file.
 * @throws LurkboxError `WORKFLOW_INVALID` with every problem
 */
export async function loadWorkflow(file: string): Promise<Workflow> {
  const source = `The workflow file ${quotePath(file)}`;
  return parse(await readWorkflowFile(file, source), source);
}

/**
 * The same for a workflow that is given as a value, which becomes the JSON that a file would hold.
 * @throws LurkboxError `WORKFLOW_INVALID` with every problem
 */
export function parseWorkflow(document: WorkflowDocument): Workflow {
  const source = 'The workflow';
  let text: string | undefined;
  try {
    text = JSON.stringify(document);
  } catch (cause) {
    throw new LurkboxError('WORKFLOW_INVALID', `${source} is not JSON.`, { cause });
  }
  return parse(Buffer.from(text ?? ''), source);
}

async function readWorkflowFile(file: string, source: string): Promise<Buffer | null> {
  try {
    return await readWrittenFile(file, MAX_DOCUMENT_BYTES);
  } catch (cause) {
    const { reason } = cause as PathError;
    throw new LurkboxError('WORKFLOW_INVALID', `${source} cannot be read (${reason}).`, { cause });
  }
}

function parse(bytes: Buffer | null, source: string): Workflow {
  if (bytes === null || bytes.length > MAX_DOCUMENT_BYTES) {
    throw new LurkboxError('WORKFLOW_INVALID', `${source} is larger than ${MAX_DOCUMENT_BYTES / 1024} KiB.`);
  }
  const document = parseDocument(bytes);
  if (!document.ok) throw invalid(source, document.problems);
  const checked = check(WorkflowSchema, document.value);
  if (!checked.ok) throw invalid(source, checked.problems);
  const problems = findFaults(checked.value);
  if (problems.length > 0) throw invalid(source, problems);
  return checked.value;
}

function invalid(source: string, problems: readonly Problem[]): LurkboxError {
  return new LurkboxError('WORKFLOW_INVALID', `${source} breaks the rules of a workflow.`, {
    problems: limitProblems(problems),
  });
}
