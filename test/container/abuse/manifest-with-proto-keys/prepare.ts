import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';

export const prepare = (folder: string) =>
  writeFile(
    join(folder, 'plugin.json'),
    `{"__proto__":{"enabled":true},"permissions":{"\\u005f_proto__":{"exec":true}}}`,
  );
