import { join, resolve } from 'node:path';
import { AUDIT_FOLDER, LurkboxError, STATE_FOLDER, verifyAuditLog } from '../index.ts';
import { escapeControls, quotePath } from '../printable.ts';
import { findStateFolder } from '../storage/state-folder.ts';
import { EXIT } from './exit.ts';
import { paint, print, printJson } from './output.ts';
import { assertFolder, type CommonOptions } from './workspace.ts';

export interface AuditOptions extends CommonOptions {
  readonly expect?: string;
}

/** Whether anything in the audit log was changed, taken out or put in. Needs no engine, and changes nothing. */
export async function auditVerify(options: AuditOptions): Promise<number> {
  assertFolder(options.workspace);
  using state = findStateFolder(join(resolve(options.workspace), STATE_FOLDER));
  if (options.expect !== undefined && !/^[0-9a-f]{64}$/.test(options.expect))
    throw new LurkboxError(
      'OPTIONS_INVALID',
      'Expected 64 hexadecimal digits after --expect, as `audit verify` tells them.',
    );
  if (state === null || state.statsOf(AUDIT_FOLDER) === null) {
    // A hash was told by a log, and what it was told by is gone.
    const ok = options.expect === undefined;
    const none = `There is no audit log in ${quotePath(resolve(options.workspace))}`;
    if (options.json) printJson({ ok, records: 0 });
    else print(ok ? `${none} yet.` : `${paint('red', '✖')} ${none}, and the hash was told by one.`);
    return ok ? EXIT.ok : EXIT.failed;
  }
  const folder = state.pathOf(AUDIT_FOLDER);
  const report = await verifyAuditLog(folder, options.expect === undefined ? {} : { expect: options.expect });
  if (options.json) printJson(report);
  else {
    for (const { file, line, message } of report.problems)
      print(
        `${paint('red', '✖')} ${escapeControls(file ?? '')}${line === null ? '' : `:${line}`}  ${escapeControls(message)}`,
      );
    const { records, files, firstSeq, lastSeq, lastHash } = report;
    if (records === 0 && report.ok) print('Nothing is recorded yet.');
    else {
      print(
        `${report.ok ? paint('green', '✔ nothing was changed') : paint('red', '✖ the log was changed')}: ${records} records in ${files} files, ${firstSeq} to ${lastSeq}`,
      );
      print(
        `Last hash: ${lastHash ?? 'none'}. Keep it elsewhere: \`lurkbox audit verify --expect <hash>\` finds it again.`,
      );
    }
  }
  return report.ok ? EXIT.ok : EXIT.failed;
}
