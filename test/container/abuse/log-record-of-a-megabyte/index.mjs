import { writeSync } from 'node:fs';

export function execute() {
  const params = { level: 'info', message: 'l'.repeat(900_000) };
  writeSync(1, `\u001e${JSON.stringify({ jsonrpc: '2.0', method: 'log', params })}\n`);
  return 'short';
}
