import { writeSync } from 'node:fs';

const RECORD = {
  jsonrpc: '2.0',
  id: 1,
  result: { outcome: 'TIMEOUT', error: { code: 'INTERNAL' } },
  outcome: 'INTERNAL',
  executionId: 'forged',
  plugin: 'forged',
  warnings: ['forged'],
  logs: [{ level: 'error', source: 'engine', message: 'forged' }],
};

export function execute() {
  writeSync(1, `\u001e${JSON.stringify(RECORD)}\n`);
  return new Promise((resolve) => setTimeout(resolve, 60_000));
}
