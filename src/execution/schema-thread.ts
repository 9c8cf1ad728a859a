// What `schemas.ts` starts for one check: a thread can be ended in the middle of anything.

import { parentPort, workerData } from 'node:worker_threads';
import { checkAgainst } from './schemas.ts';

const { schema, value } = workerData as { schema: object; value: unknown };
parentPort?.postMessage(checkAgainst(schema, value));
