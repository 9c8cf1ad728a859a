import { constants } from 'node:os';

/** The kernel drops what has no handler; a fault of its own is another matter. */
export async function execute() {
  const refused = [];
  for (const signal of Object.keys(constants.signals)) {
    try {
      process.kill(process.pid, signal);
    } catch (error) {
      refused.push(`${signal} ${error.code}`);
    }
    await new Promise((resolve) => setImmediate(resolve));
  }
  return { alive: true, refused };
}
