// node scripts/ensure-runtimes.ts
// The OCI runtimes that the tests start containers with, beside the one that comes with the engine, and the tracer that stops
// a process at its system calls: those that are here, else, as root on a Debian-like system, the distribution's own. They are
// for the tests; no engine is touched. Succeeds also without them: then the tests that need them fail, and say so.

import { holdsLock, installPackages, NO_LOCK, rerunWithLock, runs, whyNotSetUp } from './set-up.ts';

/** Each is a program and the Debian package that has it. */
const PROGRAMS = ['runsc', 'crun', 'strace'];

function main(args: readonly string[]): number {
  const missing = PROGRAMS.filter((program) => !runs(program, '--version'));
  if (missing.length === 0) return report(`Programs of the tests: ${PROGRAMS.join(', ')}`);

  const obstacle = whyNotSetUp();
  if (obstacle !== null) return reportMissing(missing, obstacle);
  if (!holdsLock(args)) return rerunWithLock(import.meta.filename) ?? reportMissing(missing, NO_LOCK);

  console.error(
    `The tests need \`${missing.join('` and `')}\`: installing from the distribution; no engine is ` +
      'changed by it. `LURKBOX_ENGINE_SETUP=off` prevents this.',
  );
  if (installPackages(missing, 'about 10 s, 25 MB on disk')) return 0;
  return reportMissing(missing, 'They could not be installed.');
}

function report(message: string): number {
  console.error(message);
  return 0;
}

function reportMissing(missing: readonly string[], why: string): number {
  return report(
    `Some tests will fail: \`${missing.join('` and `')}\` not found. ${why} ` +
      `Install by hand (Debian, Ubuntu: \`apt-get install ${missing.join(' ')}\`).`,
  );
}

if (import.meta.main) process.exitCode = main(process.argv.slice(2));
