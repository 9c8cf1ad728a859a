import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';

export const prepare = (folder: string) =>
  writeFile(
    join(folder, 'plugin.json'),
    `{"name":"x","permissions":{"exec":false,"ex\\u0065c":true},"name":"y"}`,
  );
