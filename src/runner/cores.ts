import { readFileSync } from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import os from 'node:os';

/** `<quota> <period>` of the second version of cgroups, and the two files of the first. */
const QUOTA_FILE = '/sys/fs/cgroup/cpu.max';
const FIRST_VERSION = '/sys/fs/cgroup/cpu';

/**
 * Has `os` tell the cores that the container may use instead of all that the host has: packages start as many threads as that,
 * and on a large host more than the container may have.
 */
export function tellCores(): void {
  const { availableParallelism, cpus } = os;
  os.availableParallelism = () => Math.min(availableParallelism(), readQuota());
  os.cpus = () => cpus().slice(0, readQuota());
  syncBuiltinESMExports();
}

/** Read when somebody asks: few do. */
function readQuota(): number {
  const [quota = '', period = ''] = read(QUOTA_FILE)?.split(' ') ?? [
    read(`${FIRST_VERSION}/cpu.cfs_quota_us`) ?? '',
    read(`${FIRST_VERSION}/cpu.cfs_period_us`) ?? '',
  ];
  const cores = Number.parseInt(quota, 10) / Number.parseInt(period, 10);
  return cores > 0 ? Math.ceil(cores) : Number.POSITIVE_INFINITY;
}

function read(path: string): string | null {
  try {
    return readFileSync(path, 'latin1');
  } catch {
    return null;
  }
}
