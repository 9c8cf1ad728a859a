import { Worker } from 'node:worker_threads';

export function execute() {
  for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP', 'SIGQUIT', 'SIGPIPE', 'SIGUSR2'])
    process.on(signal, () => {});
  process.on('exit', () => execute());
  process.reallyExit = () => {};
  process.exit = () => {};
  process.abort = () => {};
  new Worker('process.exit = () => {}; for (;;);', { eval: true });
  return new Promise((resolve) => setTimeout(resolve, 60_000));
}
