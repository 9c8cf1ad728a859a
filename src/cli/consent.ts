import {
  describeDifferences,
  type InstalledVersion,
  LurkboxError,
  type PermissionChange,
  type PluginManager,
} from '../index.ts';
import { escapeControls, quotePath } from '../printable.ts';
import { askFor, isTerminal } from './ask.ts';
import { EXIT } from './exit.ts';
import { requireRecord, withPlugin } from './lifecycle.ts';
import { formatTable, paint, print, printJson } from './output.ts';
import { assertKept, type CommonOptions } from './workspace.ts';

export interface ConsentOptions extends CommonOptions {
  /** The whole digest of what was looked at. */
  readonly yes?: string;
  readonly withdraw?: boolean;
}

/**
 * Shows what is asked for beyond what was agreed to, and agrees to it where `--yes` names the content, or somebody at a
 * terminal says so: to the content that was shown, whatever came meanwhile.
 */
export async function consent(reference: string, options: ConsentOptions): Promise<number> {
  if (options.withdraw === true) return withdraw(reference, options);
  return withPlugin(options, reference, async (lurkbox) => {
    const { plugins } = lurkbox;
    // What is agreed to is all that would run.
    const version = await plugins.lockPackages(reference);
    const changes = plugins.missingConsent(reference);
    const { name, digest } = version;
    const asks = options.yes === undefined && changes.length > 0 && options.json !== true && isTerminal();
    if (options.json !== true && (options.yes === undefined || changes.length === 0))
      showAsked(version, changes);
    const agreed =
      options.yes ?? (asks && (await askFor(`Agree to that for ${digest}?`)) ? digest : undefined);
    if (agreed !== undefined) assertKept(lurkbox);
    if (agreed !== undefined) await agree(plugins, reference, agreed);
    const isAgreed = agreed !== undefined && changes.length > 0;
    if (options.json === true)
      printJson({
        name,
        version: version.version,
        digest,
        origin: version.origin,
        changes,
        agreed: isAgreed,
      });
    else if (isAgreed) {
      const isDisabled = requireRecord(lurkbox, name).active?.state === 'DISABLED';
      print(
        `${paint('green', '✔')} agreed to ${digest}; ${name} ${version.version} is active${isDisabled ? ', and still disabled' : ''}`,
      );
    } else if (changes.length > 0) print(`Nothing is changed.${asks ? '' : ` ${howToAgree(version)}`}`);
    return changes.length === 0 || isAgreed ? EXIT.ok : EXIT.failed;
  });
}

async function withdraw(name: string, options: ConsentOptions): Promise<number> {
  return withPlugin(options, name, async (lurkbox) => {
    assertKept(lurkbox);
    const withdrawn = lurkbox.plugins.withdrawConsent(name);
    const { active } = requireRecord(lurkbox, name);
    if (options.json === true) printJson({ name, withdrawn, active: active?.version ?? null });
    else {
      print(
        withdrawn.length === 0
          ? `Nothing was agreed to for ${name}.`
          : `${paint('green', '✔')} taken back for ${name}: ${withdrawn.join(', ')}`,
      );
      print(active === null ? 'No version of it is active any more.' : `${active.version} is active.`);
    }
    return EXIT.ok;
  });
}

/** Says what became of the content that was looked at, where that is another one. */
async function agree(plugins: PluginManager, reference: string, digest: string): Promise<void> {
  try {
    plugins.consent(reference, { digest });
  } catch (error) {
    const isOther = error instanceof LurkboxError && error.code === 'OPTIONS_INVALID';
    const differences = isOther ? await plugins.differencesFrom(reference, digest) : null;
    if (!isOther || differences === null) throw error;
    const message = `against the content that was named: ${describeDifferences(differences)}`;
    throw new LurkboxError(error.code, error.message, { problems: [{ path: '', message }], cause: error });
  }
}

function showAsked(
  { name, version, digest, origin }: InstalledVersion,
  changes: readonly PermissionChange[],
): void {
  print(`${paint('bold', name)} ${version}  ${digest}`);
  print(`From: ${quotePath(origin.path)}`);
  if (changes.length === 0) {
    print('It asks for nothing that was not agreed to.');
    return;
  }
  const rows = changes.map(({ path, consented, asked }) => [
    path,
    escapeControls(consented),
    escapeControls(asked),
  ]);
  print(`${formatTable(['permission', 'agreed to', 'asks for'], rows)}\n`);
}

function howToAgree({ name, version, digest }: InstalledVersion): string {
  return `\`lurkbox consent ${name}@${version} --yes ${digest.slice('sha256:'.length)}\` agrees to that, and makes it active.`;
}
