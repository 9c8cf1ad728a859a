import { writeSync } from 'node:fs';

/** Clears the screen, sets the title, writes to the clipboard, and makes a link that shows another address. */
const STEER =
  '\u001b[2J\u001b]0;owned\u0007\u001b]52;c;cm0gLXJmIC8=\u0007\u001b]8;;http://evil\u0007ok\u001b]8;;\u0007';

export function execute(_context, host) {
  console.log(STEER);
  host.log('error', STEER);
  writeSync(1, `${STEER}\n`);
  writeSync(2, `${STEER}\n`);
  const error = new Error(STEER);
  error.name = STEER;
  error.stack = STEER;
  throw error;
}
