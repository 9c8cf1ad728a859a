import { checkPolicy, LurkboxError, POLICY_FILE, type PolicyCheck } from '../index.ts';
import { escapeControls, quotePath } from '../printable.ts';
import { EXIT } from './exit.ts';
import { paint, print, printJson } from './output.ts';
import { assertFolder, type CommonOptions } from './workspace.ts';

export interface PolicyCheckOptions extends CommonOptions {
  readonly write?: boolean;
}

/** Says everything that is wrong in a policy file, with its place in the file; needs no engine. */
export async function policyCheck(file: string | undefined, options: PolicyCheckOptions): Promise<number> {
  assertFolder(options.workspace);
  const chosen = file ?? options.policy;
  const check = await tryToCheck({
    workspaceRoot: options.workspace,
    write: options.write === true,
    ...(chosen !== undefined && { file: chosen }),
  });
  if (options.json) printJson({ ok: check === null || check.problems.length === 0, ...check });
  else if (check === null)
    print(`There is no ${POLICY_FILE} in ${quotePath(options.workspace)}: the default policy holds.`);
  else show(check);
  return check === null || check.problems.length === 0 ? EXIT.ok : EXIT.usage;
}

/** A file that cannot be read has one problem, and no place for it. */
async function tryToCheck(
  options: Parameters<typeof checkPolicy>[0] & { file?: string },
): Promise<PolicyCheck | null> {
  try {
    return await checkPolicy(options);
  } catch (error) {
    if (!(error instanceof LurkboxError) || error.code !== 'POLICY_INVALID') throw error;
    const problem = { path: '', message: error.message, line: null, column: null };
    return {
      file: options.file ?? POLICY_FILE,
      problems: [problem],
      formerKeys: [],
      isRewritten: false,
      isAmbiguous: false,
    };
  }
}

function show({ file, problems, formerKeys, isRewritten, isAmbiguous }: PolicyCheck): void {
  const way = isAmbiguous ? 'keep one of the two' : '--write renames it';
  for (const { path, now, ...at } of formerKeys)
    print(
      isRewritten
        ? `${paint('green', '✔')} \`${escapeControls(path)}\` is \`${escapeControls(now)}\` now`
        : `${paint('yellow', '!')} ${placed(file, at)}\`${escapeControls(path)}\` has another name now, \`${escapeControls(now)}\`; ${way}`,
    );
  for (const { path, message, ...at } of problems)
    print(
      `${paint('red', '✖')} ${placed(file, at)}${path === '' ? '' : `\`${escapeControls(path)}\`: `}${escapeControls(message)}`,
    );
  if (problems.length === 0) print(`${paint('green', '✔')} ${quotePath(file)} can be used`);
}

/** As editors and terminals follow it. */
function placed(file: string, { line, column }: { line: number | null; column: number | null }): string {
  return line === null ? '' : `${escapeControls(file)}:${line}:${column} `;
}
