import { openSync } from 'node:fs';

export function execute() {
  const opened = [];
  for (;;) {
    try {
      opened.push(openSync('/dev/null'));
    } catch (error) {
      return { code: error.code, most: Math.max(...opened) === 255 };
    }
  }
}
