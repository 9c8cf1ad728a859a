import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';

export const prepare = (folder: string) =>
  writeFile(join(folder, 'plugin.json'), Buffer.from('\ufeff{"name":"x"}', 'utf16le'));
