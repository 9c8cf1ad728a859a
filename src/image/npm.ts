import { type CommandOptions, type CommandResult, lastLines, runCommand } from './command.ts';

const COMMON_ARGUMENTS: readonly string[] = [
  // No code of a package runs on this host, not even to build it.
  '--ignore-scripts',
  '--prefer-offline',
  '--loglevel=error',
  '--logs-max=0',
  // The user's own npm settings hold, except where they would make the command do something else.
  '--global=false',
  '--dry-run=false',
  '--workspaces=false',
];

/** Runs the user's npm, with the registry and the proxies that it is set up for; `null` when there is no npm. */
export function runNpm(args: readonly string[], options: CommandOptions): Promise<CommandResult | null> {
  return runCommand('npm', [...args, ...COMMON_ARGUMENTS], options);
}

/** Why npm failed, in its own words; `null` when it did not. */
export function npmFailure(npm: CommandResult | null, timeoutMs: number): string | null {
  if (npm === null) return 'npm was not found; put `npm` on the PATH';
  if (npm.timedOut) return `npm did not finish within ${timeoutMs / 1000} s`;
  if (npm.exitCode === 0) return null;
  const said = npm.stderr
    .split('\n')
    .map((line) => line.replace(/^npm (?:error|ERR!) ?/, ''))
    .filter((line) => line.trim() !== '' && !line.startsWith('Log files were not written'));
  return `npm said:\n${lastLines(said.join('\n'))}`;
}
