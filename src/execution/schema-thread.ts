// What `schemas.ts` starts for one check: a thread can be ended in the middle of anything.

import { parentPort, workerData } from 'node:worker_threads';
import { checkAgainst } from './schemas.ts';

const { schema, value } = workerData as { schema: object; value: unknown };
// The time of the check is counted from here.
parentPort?.postMessage('ready');
parentPort?.postMessage(checkAgainst(schema, value));
