import { existsSync } from 'node:fs';
import { writeHeapSnapshot } from 'node:v8';
import { tryAll } from './attempt.mjs';

export async function execute() {
  const written = await tryAll({
    snapshotInPlugin: () => writeHeapSnapshot('/plugin/x.heapsnapshot'),
    snapshotInProc: () => writeHeapSnapshot('/proc/x.heapsnapshot'),
    reportInPlugin: () => toFile('/plugin/report.json'),
    reportInEtc: () => toFile('/etc/report.json'),
    reportInTmp: () => toFile('/tmp/report.json'),
  });
  const { header, environmentVariables } = process.report.getReport();
  return {
    ...written,
    host: header.host,
    cwd: header.cwd,
    environment: Object.keys(environmentVariables).sort(),
  };
}

function toFile(path) {
  process.report.writeReport(path);
  if (!existsSync(path)) throw new Error('nothing was written');
  return 'a report';
}
