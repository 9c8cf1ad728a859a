import { writeFileSync } from 'node:fs';

export function execute() {
  writeFileSync('/tmp/program', '#!/usr/local/bin/node\nconsole.log("it ran")', { mode: 0o755 });
  process.execve('/tmp/program', ['program'], {});
}
