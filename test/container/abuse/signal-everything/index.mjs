import { tryAll } from './attempt.mjs';

export async function execute() {
  process.on('SIGTERM', () => {});
  const answers = await tryAll({
    everybody: () => process.kill(-1, 'SIGKILL'),
    group: () => process.kill(0, 'SIGSTOP'),
    second: () => process.kill(2, 'SIGKILL'),
    parent: () => process.kill(process.ppid || 4_194_000, 'SIGKILL'),
    stopItself: () => process.kill(1, 'SIGSTOP').toString(),
    killItself: () => process.kill(1, 'SIGKILL').toString(),
  });
  return { ...answers, parents: process.ppid };
}
