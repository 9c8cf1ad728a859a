// node read-only.ts <workspace> <job>
// In a mount namespace of its own: what commands say in a workspace on a read-only file system. Answers JSON on stdout.

import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, rmdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { NO_ENGINE, runCli, SOURCE } from '../cli/run-cli.ts';

const [workspace = ''] = process.argv.slice(2);
execFileSync('mount', ['--bind', workspace, workspace]);
execFileSync('mount', ['-o', 'remount,ro,bind', workspace]);
// Temporary files of these commands alone.
const temp = mkdtempSync(join(tmpdir(), 'lurkbox-read-only-'));
process.on('exit', () => {
  execFileSync('umount', [temp]);
  rmdirSync(temp);
});
execFileSync('mount', ['-t', 'tmpfs', 'none', temp]);

const run = (...args: string[]) =>
  runCli([...args, '--workspace', workspace], { program: SOURCE, env: { ...NO_ENGINE, TMPDIR: temp } });

const answer = {
  list: await run('list'),
  again: await run('list'),
  info: await run('info', 'nice'),
  documents: [
    await run('list', '--json'),
    await run('lock', '--json'),
    await run('files', 'nice', '--json'),
    await run('info', 'nice', '--json'),
  ],
  verify: await run('audit', 'verify'),
  disabled: await run('disable', 'nice'),
  leftovers: readdirSync(temp, { recursive: true, encoding: 'utf8' }).filter((name) =>
    name.includes('image-'),
  ),
};
process.stdout.write(JSON.stringify(answer));
