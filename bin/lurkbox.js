#!/usr/bin/env node
// Starts the command line on a Node that can run it. Plain and old JavaScript, so that an old Node gets as far as a message.

import { spawn } from 'node:child_process';
import { existsSync, realpathSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const checkout = new URL('..', import.meta.url);
const main = new URL('dist/cli/main.js', checkout);
const bundledNode = fileURLToPath(new URL('node_modules/.bin/node', checkout));

if (!isFit(process.versions.node)) {
  if (isOtherNode(bundledNode)) runOn(bundledNode);
  else
    refuse(
      `lurkbox needs Node ^24.15 or >=26; this is ${process.versions.node}. In a checkout, \`make build\` brings one.`,
    );
} else if (!existsSync(main)) {
  refuse('lurkbox is not built: `dist/` is missing. Run `make build`.');
} else {
  import(main.href);
}

function isFit(version) {
  const [major, minor] = version.split('.').map(Number);
  return major === 24 ? minor >= 15 : major >= 26;
}

/** Not the one that runs this, which was found too old. */
function isOtherNode(file) {
  return existsSync(file) && realpathSync(file) !== realpathSync(process.execPath);
}

function runOn(node) {
  const child = spawn(node, process.argv.slice(1), { stdio: 'inherit' });
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT']) {
    process.on(signal, () => {
      // A terminal sends Ctrl-C to both of us; a second one would be taken for impatience.
      const sentByTerminal = process.stdin.isTTY && (signal === 'SIGINT' || signal === 'SIGQUIT');
      if (!sentByTerminal) child.kill(signal);
    });
  }
  child.on('error', (error) => refuse(`\`${node}\` could not be started: ${error.message}`));
  child.on('exit', (code, signal) => {
    if (signal === null) process.exit(code);
    process.removeAllListeners(signal);
    process.kill(process.pid, signal);
  });
}

function refuse(message) {
  process.stderr.write(`${message}\n`);
  process.exitCode = 2;
}
