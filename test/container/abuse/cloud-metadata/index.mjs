import { attempt } from './attempt.mjs';

const SERVICES = [
  'http://169.254.169.254/latest/meta-data/iam/security-credentials/',
  'http://[fd00:ec2::254]/latest/meta-data/',
  'http://169.254.170.2/v2/credentials/',
  'http://metadata.google.internal/computeMetadata/v1/',
  'http://metadata/computeMetadata/v1/',
  'http://100.100.100.200/latest/meta-data/',
  'http://168.63.129.16/machine/?comp=goalstate',
  'http://192.0.0.192/opc/v2/instance/',
  'http://instance-data/latest/meta-data/',
  'http://2852039166/latest/meta-data/',
  'http://0xa9fea9fe/latest/meta-data/',
  'http://[::ffff:169.254.169.254]/latest/meta-data/',
];

export async function execute() {
  const signal = AbortSignal.timeout(2000);
  const get = (url) =>
    attempt(() => fetch(url, { signal, headers: { 'Metadata-Flavor': 'Google' } }).catch(throwCause));
  return [...new Set(await Promise.all(SERVICES.map(get)))].sort().join();
}

function throwCause(error) {
  throw error.cause ?? error;
}
