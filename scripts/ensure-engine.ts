// node scripts/ensure-engine.ts
// A container engine for `make`: the one that answers, else, as root on a Debian-like system, the distribution's own.
// Exits with 3 when there is none in the end.

import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { engineCandidates } from '../src/engine/docker/candidates.ts';
import type { EngineAddress } from '../src/engine/docker/endpoint.ts';
import { findEngine } from '../src/engine/docker/find.ts';
import { SYSTEM_DOCKERD } from './dockerd.ts';
import { holdsLock, installPackages, NO_LOCK, rerunWithLock, runs, step, whyNotSetUp } from './set-up.ts';

const EXIT_NO_ENGINE = 3;
const PACKAGE = 'docker.io';

async function main(args: readonly string[]): Promise<number> {
  const engine = await findEngine().catch((error: Error) => error);
  if (!(engine instanceof Error)) return reportEngine(engine);

  const obstacle = (await whyNoEngine()) ?? whyNotSetUp();
  if (obstacle !== null) return reportNone(`${engine.message}\n${obstacle}`);
  if (!holdsLock(args)) return rerunWithLock(import.meta.filename) ?? reportNone(NO_LOCK);

  const failure = setUpEngine();
  if (failure !== null) return reportNone(failure);
  return findEngine().then(reportEngine, (error: Error) => reportNone(error.message));
}

function reportEngine({ url, chosenBy }: EngineAddress): number {
  console.error(`Container engine: ${url} (${chosenBy})`);
  return 0;
}

function reportNone(message: string): number {
  console.error(message);
  return EXIT_NO_ENGINE;
}

/** An engine that was chosen is not replaced by another one. */
async function whyNoEngine(): Promise<string | null> {
  const candidates = await engineCandidates(process.env).catch(() => null);
  if (candidates !== null && !candidates.some(({ isChosen }) => isChosen)) return null;
  return 'None is set up, because the one to use was chosen.';
}

/** `null`, or what went wrong. */
function setUpEngine(): string | null {
  const installed = runs('dockerd', '--version');
  announce(installed);
  if (!installed && !installPackages([PACKAGE], 'about 30 s, 300 MB on disk')) {
    return `\`${PACKAGE}\` could not be installed. Install and start Docker by hand, then run this again.`;
  }
  if (!startEngine()) return 'The engine could not be started. Start Docker by hand, then run this again.';
  return null;
}

function announce(installed: boolean): void {
  const what = installed ? 'starting the one that is installed' : `installing \`${PACKAGE}\` and starting it`;
  const stop = hasSystemd() ? 'systemctl stop docker docker.socket' : 'make engine-stop';
  console.error(
    `No container engine answers: ${what}. It keeps running afterwards (\`${stop}\` ends it); ` +
      '`LURKBOX_ENGINE_SETUP=off` prevents this.',
  );
}

/** Installing the package starts it where there is systemd; a second start does no harm. */
function startEngine(): boolean {
  if (hasSystemd()) return step('Starting docker.service (about 5 s)', ['systemctl', 'start', 'docker']);
  return step(`Starting dockerd (about 5 s, log in ${SYSTEM_DOCKERD.logFile})`, [
    process.execPath,
    join(import.meta.dirname, 'dockerd.ts'),
    'start',
  ]);
}

/** As sd_booted(3) tells it. */
function hasSystemd(): boolean {
  return existsSync('/run/systemd/system');
}

if (import.meta.main) process.exitCode = await main(process.argv.slice(2));
