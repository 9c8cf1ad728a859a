#!/usr/bin/env node
// Starts the command line on a Node that can run it. Plain and old JavaScript, so that an old Node gets as far as a message;
// and without an `import` that not every start needs.

const main = new URL('../dist/cli/main.js', import.meta.url);

if (!isFit(process.versions.node)) runOnOtherNode();
else if (!process.getBuiltinModule('node:fs').existsSync(main)) {
  refuse('lurkbox is not built: `dist/` is missing. Run `make build`.');
} else {
  import(main.href);
}

function isFit(version) {
  const [major, minor] = version.split('.').map(Number);
  return major === 24 ? minor >= 15 : major >= 26;
}

async function runOnOtherNode() {
  const { existsSync, realpathSync } = await import('node:fs');
  const { fileURLToPath } = await import('node:url');
  const node = fileURLToPath(new URL('../node_modules/.bin/node', import.meta.url));
  // Not the one that runs this, which was found too old.
  if (existsSync(node) && realpathSync(node) !== realpathSync(process.execPath)) await runOn(node);
  else
    refuse(
      `lurkbox needs Node ^24.15 or >=26; this is ${process.versions.node}. In a checkout, \`make build\` brings one.`,
    );
}

async function runOn(node) {
  const { spawn } = await import('node:child_process');
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
