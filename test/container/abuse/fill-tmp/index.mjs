import { openSync, statfsSync, writeSync } from 'node:fs';

export function execute() {
  const chunk = Buffer.alloc(64 * 1024, 1);
  let written = 0;
  for (let index = 0; ; index++) {
    try {
      const file = openSync(`/tmp/${index}`, 'w');
      for (let part = 0; part < 16; part++) written += writeSync(file, chunk);
    } catch (error) {
      return {
        code: error.code,
        asMuchAsThereIs: written === 8 * 1024 * 1024,
        free: statfsSync('/tmp').bfree,
      };
    }
  }
}
