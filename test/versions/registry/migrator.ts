// node migrator.ts <state folder> <n>
// Opens a registry whose stores are of an older format, and dies before the nth statement that SQLite is told.

import { onStatement } from './on-statement.ts';
import { openRegistry } from './sample.ts';

const [, , folder = '', at = '0'] = process.argv;
onStatement((count) => {
  if (count === Number(at)) process.kill(process.pid, 'SIGKILL');
});
const registry = await openRegistry(folder);
await registry.close();
