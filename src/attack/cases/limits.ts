import { BASELINE } from '../../policy/baseline.ts';
import {
  type AttackGroup,
  all,
  heldIf,
  judgeAnswer,
  judgeOutcome,
  type Observation,
  type Program,
  type Verdict,
} from '../attack.ts';

interface Exhausted {
  readonly bytes: number;
  readonly bytesEnd: string;
  readonly files: number;
  readonly filesEnd: string;
  readonly sparseEnd: string;
  readonly descriptors: number;
  readonly descriptorsEnd: string;
}

/** Takes of everything in /tmp and of descriptors until there is no more. */
const exhaust = (): Exhausted => {
  const { appendFileSync, ftruncateSync, mkdirSync, openSync, rmSync, writeFileSync } =
    process.getBuiltinModule('node:fs');
  const until = (most: number, take: (count: number) => void): [count: number, end: string] => {
    for (let count = 0; count < most; count++) {
      try {
        take(count);
      } catch (error) {
        return [count, (error as NodeJS.ErrnoException).code ?? String(error)];
      }
    }
    return [most, 'no end'];
  };
  const chunk = Buffer.alloc(1024 * 1024, 1);
  const [megabytes, bytesEnd] = until(4096, (count) => appendFileSync(`/tmp/bytes-${count % 4}`, chunk));
  for (let file = 0; file < 4; file++) rmSync(`/tmp/bytes-${file}`, { force: true });
  const [, sparseEnd] = until(1, () => ftruncateSync(openSync('/tmp/sparse', 'w'), 2 ** 40));
  mkdirSync('/tmp/many');
  const [files, filesEnd] = until(20_000, (count) => writeFileSync(`/tmp/many/${count}`, ''));
  const [descriptors, descriptorsEnd] = until(20_000, () => openSync('/dev/null', 'r'));
  return {
    bytes: megabytes * 1024 * 1024,
    bytesEnd,
    files,
    filesEnd,
    sparseEnd,
    descriptors,
    descriptorsEnd,
  };
};

const EXHAUSTION = { program: exhaust as Program };

const takeMemory = (): never => {
  const kept: Buffer[] = [];
  for (;;) kept.push(Buffer.alloc(4 * 1024 * 1024, 1));
};

/** A file in memory is memory too. */
const takeMemoryInFiles = (): never => {
  const { openSync, writeSync } = process.getBuiltinModule('node:fs');
  const chunk = Buffer.alloc(1024 * 1024, 1);
  const file = openSync('/tmp/fill', 'w');
  try {
    for (;;) writeSync(file, chunk);
  } catch {}
  const kept: Buffer[] = [];
  for (;;) kept.push(Buffer.alloc(1024 * 1024, 1));
};

const takeHeap = (): never => {
  const kept: number[][] = [];
  for (;;) kept.push(new Array(1e6).fill(1.5));
};

/** Two threads that burn for a while: how much of a core they get. */
const burnInThreads = async (): Promise<{ cores: number }> => {
  const { Worker } = process.getBuiltinModule('node:worker_threads');
  const burn = 'const end = Date.now() + 500; while (Date.now() < end);';
  const workers = [1, 2, 3].map(() => new Worker(burn, { eval: true }));
  const before = process.cpuUsage();
  const started = performance.now();
  await Promise.all(workers.map((worker) => new Promise((resolve) => worker.once('exit', resolve))));
  const { user, system } = process.cpuUsage(before);
  return { cores: (user + system) / 1000 / (performance.now() - started) };
};

/** A quota is given out in slices of 100 ms, and over less than a second one more of them counts. */
const QUOTA_SLACK = 1.5;

export const LIMITS: AttackGroup = {
  area: 'What it can use up',
  attacks: [
    {
      id: 'limits-tmp',
      title: '/tmp ends at its size',
      promises: ['P6'],
      attempt: EXHAUSTION,
      judge: judgeAnswer(({ bytes, bytesEnd, sparseEnd }: Exhausted, { here }) =>
        all(
          heldIf(
            bytesEnd === 'ENOSPC' && bytes <= here.grant.tmpBytes,
            `ENOSPC after at most ${here.grant.tmpBytes} bytes`,
            `${bytesEnd} after ${bytes}`,
          ),
          heldIf(sparseEnd === 'EFBIG', 'EFBIG for a sparse file of a terabyte', sparseEnd),
        ),
      ),
    },
    {
      id: 'limits-files',
      title: '/tmp ends at its number of files',
      promises: ['P6'],
      attempt: EXHAUSTION,
      judge: judgeAnswer(({ files, filesEnd }: Exhausted) =>
        isEnd(files, filesEnd, 'ENOSPC', BASELINE.tmp.value.inodes),
      ),
    },
    {
      id: 'limits-descriptors',
      title: 'descriptors end at their number',
      promises: ['P6'],
      attempt: EXHAUSTION,
      judge: judgeAnswer(({ descriptors, descriptorsEnd }: Exhausted) =>
        isEnd(descriptors, descriptorsEnd, 'EMFILE', BASELINE.nofile.value),
      ),
    },
    {
      id: 'limits-memory',
      title: 'a memory bomb ends its own container',
      promises: ['P1', 'P6'],
      attempt: { program: takeMemory as Program },
      judge: judgeBomb,
    },
    {
      id: 'limits-memory-files',
      title: 'a memory bomb of files counts as memory too',
      promises: ['P1', 'P6'],
      attempt: { program: takeMemoryInFiles as Program },
      judge: judgeBomb,
    },
    {
      id: 'limits-heap',
      title: 'a full heap of V8 is told as such',
      promises: ['P1'],
      attempt: { program: takeHeap as Program },
      judge: judgeOutcome(['OUT_OF_MEMORY']),
    },
    {
      id: 'limits-cpu',
      title: 'threads that burn share the CPU quota of one container',
      promises: ['P6'],
      attempt: { program: burnInThreads as Program, alone: true },
      judge: judgeAnswer(({ cores }: { cores: number }, { here }) =>
        heldIf(
          cores > 0 && cores <= here.grant.cpuCores * QUOTA_SLACK,
          `at most ${here.grant.cpuCores} of a core, and ${QUOTA_SLACK} times that over so short a time`,
          String(cores),
        ),
      ),
    },
  ],
};

function isEnd(count: number, end: string, code: string, most: number): Verdict {
  return heldIf(end === code && count <= most, `${code} after at most ${most}`, `${end} after ${count}`);
}

/** More than its memory is a fall, however it ended. */
function judgeBomb(seen: Observation): Verdict {
  return all(staysInMemory(seen), judgeOutcome(['OUT_OF_MEMORY'])(seen));
}

function staysInMemory({ result, here }: Observation): Verdict {
  const peak = result.usage.peakMemoryBytes ?? 0;
  return heldIf(
    peak <= here.grant.memoryBytes,
    `at most ${here.grant.memoryBytes} bytes of memory`,
    String(peak),
  );
}
