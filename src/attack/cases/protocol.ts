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

interface Forgery {
  /** As latin1. */
  readonly bytes: string;
  readonly next: 'wait' | 'burn' | 'exit' | 'abort';
}

/** Writes these bytes to stdout, past the runner, and then does something that keeps the runner from its own answer. */
const forge = async ({ bytes, next }: Forgery): Promise<void> => {
  const { writeSync } = process.getBuiltinModule('node:fs');
  const text = Buffer.from(bytes, 'latin1');
  for (let at = 0; at < text.length; ) at += writeSync(1, text, at);
  if (next === 'burn') for (;;);
  if (next === 'exit') process.exit(0);
  if (next === 'abort') process.abort();
  await new Promise((resolve) => setTimeout(resolve, 60_000));
};

/** Leaves nothing of the language as it was. */
const replaceEverything = (): string => {
  const broken = (): never => {
    throw new Error('replaced');
  };
  const { deleteProperty } = Reflect;
  const { stdout } = process;
  Object.assign(Function.prototype, { call: broken, apply: broken, bind: broken });
  for (const prototype of [
    Array.prototype,
    String.prototype,
    Promise.prototype,
    Buffer.prototype,
  ] as object[]) {
    for (const name of ['push', 'join', 'slice', 'then', 'toString', 'indexOf'])
      Reflect.set(prototype, name, broken);
  }
  const trap = { configurable: true, get: broken, set: () => {} };
  for (const name of ['toJSON', 'id', 'result', 'method', 'params'])
    Object.defineProperty(Object.prototype, name, trap);
  JSON.stringify = () => 'garbage';
  stdout.write = () => false;
  for (const name of ['JSON', 'Buffer', 'Reflect', 'Promise', 'process', 'console'])
    deleteProperty(globalThis, name);
  return 'mine';
};

const crash = (): void => process.abort();
const leave = (): void => process.exit(7);

const record = (json: string): string => `\u001e${json}\n`;
const response = (json: string): string => record(`{"jsonrpc":"2.0","id":1,"result":${json}}`);

export const PROTOCOL: AttackGroup = {
  area: 'What it says to the orchestrator',
  attacks: [
    faulty('protocol-garbage', 'a record that is no JSON is a fault of the protocol', record('garbage')),
    faulty('protocol-utf8', 'a record that is not UTF-8 is a fault of the protocol', response('"\xff\xfe"')),
    faulty(
      'protocol-deep',
      'a record that is nested thousands deep is refused before it is built',
      response(`${'['.repeat(5000)}${']'.repeat(5000)}`),
    ),
    {
      id: 'protocol-proto',
      title: 'a result with `__proto__` as a key changes no object of the orchestrator',
      promises: ['P1'],
      attempt: {
        program: forge as Program,
        args: {
          bytes: response(
            '{"__proto__":{"lurkboxPolluted":1},"constructor":{"prototype":{"lurkboxPolluted":1}}}',
          ),
          next: 'wait',
        } satisfies Forgery,
      },
      judge: judgeOutcome(['OK'], (seen) => all(isClean(seen), isKey(seen, '__proto__'))),
    },
    faulty('protocol-keys', 'a record with a key twice is refused', response('{"a":1,"a":2}')),
    faulty(
      'protocol-ready',
      'who says that it is ready twice is refused',
      record('{"jsonrpc":"2.0","method":"ready","params":{"protocol":1,"node":"v1"}}'),
    ),
    faulty(
      'protocol-other',
      'an answer to a request that nobody made is refused',
      record('{"jsonrpc":"2.0","id":2,"result":1}'),
    ),
    answered(
      'protocol-twice',
      'of two results the first one counts',
      ['P1', 'P3'],
      { bytes: response('"first"') + response('"second"'), next: 'wait' },
      'first',
    ),
    answered(
      'protocol-fields',
      'a result that looks like ours decides nothing of ours',
      ['P1', 'P3'],
      {
        bytes: record(
          '{"jsonrpc":"2.0","id":1,"result":"mine","plugin":"other","executionId":"x","success":false}',
        ),
        next: 'wait',
      },
      'mine',
    ),
    answered(
      'protocol-then-burn',
      'a result right before a loop without an end is not lost',
      ['P3', 'P4'],
      { bytes: response('"kept"'), next: 'burn' },
      'kept',
    ),
    answered(
      'protocol-then-abort',
      'a result right before a crash is not lost',
      ['P3'],
      { bytes: response('"kept"'), next: 'abort' },
      'kept',
    ),
    {
      id: 'protocol-half',
      title: 'half a result is none, when the process ends after it',
      promises: ['P1', 'P3'],
      attempt: { program: forge as Program, args: { bytes: response('"half"').slice(0, -3), next: 'exit' } },
      judge: judgeOutcome(['NO_RESULT'], hasNoResult),
    },
    {
      id: 'protocol-half-late',
      title: 'half a result is none, when the deadline comes after it',
      promises: ['P3', 'P4'],
      attempt: {
        program: forge as Program,
        args: { bytes: response('"half"').slice(0, -3), next: 'burn' },
        timeoutMs: 300,
      },
      judge: judgeOutcome(['TIMEOUT'], hasNoResult),
    },
    {
      id: 'protocol-replaced',
      title: 'a result comes through after the plugin has replaced the language around it',
      promises: ['P3'],
      attempt: { program: replaceEverything as Program },
      judge: judgeOutcome(['OK'], (seen) => isResult(seen, 'mine')),
    },
    {
      id: 'protocol-crash',
      title: 'a crash is told as a crash',
      promises: ['P1'],
      attempt: { program: crash as Program },
      judge: judgeOutcome(['PLUGIN_CRASHED'], hasNoResult),
    },
    {
      id: 'protocol-exit',
      title: 'a process that leaves with an exit code has crashed',
      promises: ['P1'],
      attempt: { program: leave as Program },
      judge: judgeOutcome(['PLUGIN_CRASHED'], hasNoResult),
    },
  ],
};

function faulty(id: string, title: string, bytes: string): PluginAttack {
  return {
    id,
    title,
    promises: ['P1'],
    attempt: { program: forge as Program, args: { bytes, next: 'wait' } satisfies Forgery },
    judge: judgeOutcome(['PROTOCOL_ERROR'], (seen) => all(hasNoResult(seen), isClean(seen))),
  };
}

function answered(
  id: string,
  title: string,
  promises: PluginAttack['promises'],
  args: Forgery,
  expected: string,
): PluginAttack {
  return {
    id,
    title,
    promises,
    attempt: { program: forge as Program, args },
    judge: judgeOutcome(['OK'], (seen) => isResult(seen, expected)),
  };
}

function hasNoResult({ result: { result, success } }: Observation): Verdict {
  return heldIf(result === null && !success, 'no result', JSON.stringify({ result, success }));
}

function isResult({ result: { result, success, plugin }, here }: Observation, expected: string): Verdict {
  return heldIf(
    result === expected && success && plugin === here.grant.plugin,
    `the result \`${expected}\` of ${here.grant.plugin}`,
    JSON.stringify({ result, success, plugin }),
  );
}

/** Whether the result has it as a key of its own, which says nothing about what the result is. */
function isKey({ result: { result } }: Observation, key: string): Verdict {
  const isOwn = typeof result === 'object' && result !== null && Object.hasOwn(result, key);
  return heldIf(isOwn, `the key \`${key}\` in the result`, JSON.stringify(result));
}

function isClean({ pollution }: Observation): Verdict {
  return heldIf(pollution.length === 0, 'the prototype of all objects as it was', pollution.join(', '));
}
