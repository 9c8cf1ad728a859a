const SCRIPT = `
const { readFileSync } = require('node:fs');
const { spawnSync } = require('node:child_process');
const status = readFileSync('/proc/self/status', 'utf8');
for (const line of status.match(/^(Uid|CapEff|CapBnd|NoNewPrivs|Seccomp):.*$/gm)) console.log(line);
console.log('spawn', spawnSync(process.execPath, ['-v']).error.code);
console.log('flag', process.execArgv[0]);
`;

export function execute() {
  const flags = ['--expose-internals', '--inspect=0.0.0.0:9229', '--no-deprecation'];
  process.execve(process.execPath, ['node', ...flags, '-e', SCRIPT], { LD_PRELOAD: '/tmp/nothing.so' });
}
