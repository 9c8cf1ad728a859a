import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';

export const prepare = (folder: string) =>
  writeFile(
    join(folder, 'plugin.json'),
    JSON.stringify(Object.fromEntries(Array.from({ length: 20_000 }, (_, index) => [`k${index}`, 1]))),
  );
