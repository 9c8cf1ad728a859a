import {
  type AttackGroup,
  all,
  heldIf,
  judgeOutcome,
  type Observation,
  type PluginAttack,
  type Program,
  type Verdict,
} from '../attack.ts';

const flood = (): never => {
  const { writeSync } = process.getBuiltinModule('node:fs');
  const lines = `${'flood '.repeat(1000)}\n`.repeat(16);
  for (;;) writeSync(1, lines);
};

const floodOneLine = (): never => {
  const { writeSync } = process.getBuiltinModule('node:fs');
  const text = 'x'.repeat(256 * 1024);
  for (;;) writeSync(1, text);
};

const floodShortLines = (): never => {
  const { writeSync } = process.getBuiltinModule('node:fs');
  const lines = 'a\n'.repeat(64 * 1024);
  for (;;) writeSync(1, lines);
};

const floodOneRecord = (): never => {
  const { writeSync } = process.getBuiltinModule('node:fs');
  writeSync(1, '\u001e{"jsonrpc":"2.0","id":1,"result":"');
  const text = 'x'.repeat(256 * 1024);
  for (;;) writeSync(1, text);
};

const floodRecords = (): never => {
  const { writeSync } = process.getBuiltinModule('node:fs');
  const record = '\u001e{"jsonrpc":"2.0","method":"log","params":{"level":"info","message":"x"}}\n';
  for (;;) writeSync(1, record.repeat(1000));
};

/** A record that is small as a text and large as values. */
const sendManyValues = (bytes: number): Promise<never> => {
  const { writeSync } = process.getBuiltinModule('node:fs');
  const values = '0,'.repeat(Math.floor(bytes / 2) - 100);
  const text = Buffer.from(`\u001e{"jsonrpc":"2.0","id":1,"result":[${values}0]}\n`);
  for (let at = 0; at < text.length; ) at += writeSync(1, text, at);
  return new Promise(() => void setInterval(() => {}, 1000));
};

const floodErrors = (): string => {
  const { writeSync } = process.getBuiltinModule('node:fs');
  const chunk = Buffer.alloc(1024 * 1024, `${'e'.repeat(127)}\n`);
  for (let megabyte = 0; megabyte < 32; megabyte++) {
    for (let at = 0; at < chunk.length; ) at += writeSync(2, chunk, at);
  }
  return 'done';
};

/** P5: how far the orchestrator may grow, and how long it may think of nothing else. */
const MOST_RSS_BYTES = 64 * 1024 * 1024;
const MOST_BLOCK_MS = 100;
/** Long enough for hundreds of megabytes on a host of the usual speed. */
const FLOOD_MS = 1_000;

export const OUTPUT: AttackGroup = {
  area: 'What it prints',
  attacks: [
    cheapFlood('output-flood', 'a flood of lines costs little, and ends at the deadline', flood as Program),
    cheapFlood(
      'output-line',
      'a line without an end costs little, and ends at the deadline',
      floodOneLine as Program,
    ),
    cheapFlood(
      'output-short-lines',
      'a flood of the shortest lines costs little, and ends at the deadline',
      floodShortLines as Program,
    ),
    {
      id: 'output-record',
      title: 'a record without an end ends at the limit',
      promises: ['P1', 'P5'],
      attempt: { program: floodOneRecord as Program, alone: true },
      judge: (seen: Observation) => all(isCheap(seen), judgeOutcome(['OUTPUT_LIMIT'])(seen)),
    },
    cheapFlood(
      'output-records',
      'a flood of log records costs little, and ends at the deadline',
      floodRecords as Program,
    ),
    {
      id: 'output-values',
      title: 'a record of half a million values is refused before it is built',
      promises: ['P1', 'P5'],
      notHere: ({ grant }) =>
        grant.outputBytes < 512 * 1024
          ? `the policy lets a plugin answer with no more than ${grant.outputBytes} bytes`
          : null,
      attempt: { program: sendManyValues as Program, args: 1_000_000, alone: true },
      judge: judgeOutcome(['PROTOCOL_ERROR', 'OUTPUT_LIMIT'], isCheap),
    },
    {
      id: 'output-errors',
      title: '32 MB on stderr are cut, and the result stands',
      promises: ['P3', 'P5'],
      attempt: { program: floodErrors as Program, alone: true },
      judge: judgeOutcome(['OK'], (seen) =>
        all(
          isCheap(seen),
          heldIf(seen.result.result === 'done', 'the result `done`', JSON.stringify(seen.result.result)),
          heldIf(seen.result.warnings.length > 0, 'a warning that lines were dropped', 'none'),
        ),
      ),
    },
  ],
};

/** Log lines end no call, however many there are: what has to hold is that they cost the orchestrator next to nothing. */
function cheapFlood(id: string, title: string, program: Program): PluginAttack {
  return {
    id,
    title,
    promises: ['P1', 'P5'],
    attempt: { program, timeoutMs: FLOOD_MS, alone: true },
    judge: (seen) => all(isCheap(seen), judgeOutcome(['TIMEOUT'])(seen)),
  };
}

function isCheap({ cost: { rssBytes, blockMs } }: Observation): Verdict {
  return all(
    heldIf(
      rssBytes <= MOST_RSS_BYTES,
      `an orchestrator that grows by at most ${MOST_RSS_BYTES} bytes`,
      `${rssBytes}`,
    ),
    heldIf(
      blockMs <= MOST_BLOCK_MS,
      `an orchestrator that is busy for at most ${MOST_BLOCK_MS} ms of CPU time without a pause`,
      `${Math.round(blockMs)} ms`,
    ),
  );
}
