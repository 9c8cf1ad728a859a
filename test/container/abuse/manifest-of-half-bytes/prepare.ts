import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';

export const prepare = (folder: string) =>
  writeFile(join(folder, 'plugin.json'), Buffer.from([0x7b, 0x22, 0xc0, 0xaf, 0x22, 0x7d]));
