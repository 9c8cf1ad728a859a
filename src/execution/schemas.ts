import { extname, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { createContext, Script } from 'node:vm';
import { Worker } from 'node:worker_threads';
import { Ajv2020, type ErrorObject, type ValidateFunction } from 'ajv/dist/2020.js';
import addFormats from 'ajv-formats';
import { LurkboxError, type Problem } from '../errors.ts';

/**
 * The JSON Schemas that a plugin brings are code of the plugin that runs in the orchestrator: a pattern can need
 * exponential time, a `$ref` can call itself. Compiling and checking therefore happen under deadlines that V8 itself
 * enforces. It does so in the middle of a match, but not while it turns a regular expression into machine code at the
 * first match, which can take seconds: a schema that holds one is checked in a thread of its own.
 */
const COMPILE_DEADLINE_MS = 500;
const CHECK_DEADLINE_MS = 50;
const THREAD_DEADLINE_MS = 1_000;
/** It takes some 50 ms; a host that is busy beyond measure takes more, and that is not the fault of the schema. */
const THREAD_START_DEADLINE_MS = 10_000;
const THREAD_PROGRAM = join(import.meta.dirname, `schema-thread${extname(import.meta.filename)}`);
/** On a busy host an honest check can miss its deadline; each try is a turn of the event loop of its own. */
const CHECK_TRIES = 3;

/** Checks a value; answers what is wrong with it, and nothing when it fits. */
export type CheckValue = (value: unknown) => Promise<readonly Problem[]>;

const EVERYTHING_FITS: CheckValue = async () => [];

/** Draft 2020-12. @throws LurkboxError `MANIFEST_INVALID` when the schema is none, or takes too long to compile */
export function compileSchema(schema: object, field: string): CheckValue {
  if (Object.keys(schema).length === 0) return EVERYTHING_FITS;
  try {
    const validate = compile(schema);
    return holdsPattern(schema)
      ? (value) => checkInThread(schema, value)
      : (value) => checkValue(validate, value);
  } catch (error) {
    const message = isTimeout(error)
      ? `takes longer than ${COMPILE_DEADLINE_MS} ms to compile`
      : messageOf(error);
    throw new LurkboxError(
      'MANIFEST_INVALID',
      `\`${field}\` is not a JSON Schema (draft 2020-12) that can be used.`,
      {
        problems: [{ path: field, message }],
        cause: error,
      },
    );
  }
}

let shared: Ajv2020 | undefined;

// The one piece of state of this module: compiling the meta-schema takes longer than most schemas do.
function createAjv(): Ajv2020 {
  const ajv = new Ajv2020({
    strict: true,
    strictTypes: false,
    strictRequired: false,
    strictTuples: false,
    logger: false,
  });
  addFormats.default(ajv);
  // Ajv follows anchors and yet does not count the keyword among those it knows.
  ajv.addVocabulary(['$anchor']);
  ajv.validateSchema({});
  return ajv;
}

function compile(schema: object): ValidateFunction {
  shared ??= createAjv();
  const ajv = shared;
  if ('$async' in schema) throw new Error('`$async` schemas are not supported');
  const { $id: id } = schema as { $id?: unknown };
  if (typeof id === 'string' && ajv.getSchema(id) !== undefined)
    throw new Error(`\`$id\` ${id} already exists`);
  try {
    return withinDeadline(COMPILE_DEADLINE_MS, () => ajv.compile(schema));
  } finally {
    // Two plugins may use the same `$id`, and neither may refer to a schema of the other.
    ajv.removeSchema();
  }
}

async function checkValue(validate: ValidateFunction, value: unknown): Promise<readonly Problem[]> {
  for (let tries = 1; tries <= CHECK_TRIES; tries++) {
    try {
      const fits = withinDeadline(CHECK_DEADLINE_MS, () => validate(value));
      return fits ? [] : (validate.errors ?? []).map(toProblem);
    } catch (error) {
      if (!isTimeout(error)) return [{ path: '', message: `could not be checked: ${messageOf(error)}` }];
      // A timer and not the next turn, which would come before every timer that is due.
      await delay(1);
    }
  }
  return [{ path: '', message: `could not be checked within ${CHECK_DEADLINE_MS} ms; simplify the schema` }];
}

/** What the thread does: compiles the schema again, because a function does not cross over, and checks the value. */
export function checkAgainst(schema: object, value: unknown): readonly Problem[] {
  const validate = compile(schema);
  return validate(value) ? [] : (validate.errors ?? []).map(toProblem);
}

async function checkInThread(schema: object, value: unknown): Promise<readonly Problem[]> {
  const { promise, resolve } = Promise.withResolvers<readonly Problem[]>();
  const fail = (why: string): void => resolve([{ path: '', message: `could not be checked ${why}` }]);
  // Nothing of how this process was started, and nothing of its environment, is needed there.
  const thread = new Worker(THREAD_PROGRAM, { workerData: { schema, value }, execArgv: [], env: {} });
  let timer = setTimeout(() => fail('because no thread could be started'), THREAD_START_DEADLINE_MS);
  thread.on('message', (said: 'ready' | readonly Problem[]) => {
    if (said !== 'ready') return resolve(said);
    clearTimeout(timer);
    timer = setTimeout(
      () => fail(`within ${THREAD_DEADLINE_MS} ms; simplify the patterns of the schema`),
      THREAD_DEADLINE_MS,
    );
  });
  thread.once('error', (error) => fail(`: ${messageOf(error)}`));
  try {
    return await promise;
  } finally {
    clearTimeout(timer);
    // One that compiles a pattern ends when that is done.
    void thread.terminate();
  }
}

/** Wherever one stands; what only looks like one, such as a property of that name, costs a thread and no more. */
function holdsPattern(schema: unknown): boolean {
  if (typeof schema !== 'object' || schema === null) return false;
  return Object.entries(schema).some(
    ([key, inner]) => key === 'pattern' || key === 'patternProperties' || holdsPattern(inner),
  );
}

const watched: { work: () => unknown } = { work: () => undefined };
const context = createContext(Object.assign(Object.create(null), { call: () => watched.work() }));
const script = new Script('call()');

// `vm` is the watchdog here, not a wall: the work is our own function.
function withinDeadline<T>(timeout: number, work: () => T): T {
  watched.work = work;
  try {
    return script.runInContext(context, { timeout }) as T;
  } finally {
    watched.work = () => undefined;
  }
}

function isTimeout(error: unknown): boolean {
  return (error as NodeJS.ErrnoException | null)?.code === 'ERR_SCRIPT_EXECUTION_TIMEOUT';
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

function toProblem({ instancePath, message, params }: ErrorObject): Problem {
  const path = instancePath.replace(/^\//, '').replaceAll('/', '.').slice(0, 200);
  const detail =
    'additionalProperty' in params ? ` (\`${String(params['additionalProperty']).slice(0, 100)}\`)` : '';
  return { path, message: `${message ?? 'does not fit'}${detail}` };
}
