import { randomBytes } from 'node:crypto';

/** All do the same; they differ in how the policy has their containers kept, and in how long they sleep by themselves. */
export const ECHO = 'bench-echo';
export const SESSION = 'bench-session';
export const PLUGIN = 'bench-plugin';
export const SLEEPERS = Array.from({ length: 10 }, (_, index) => ({
  name: `bench-sleep-${index + 1}`,
  sleepMs: (index + 1) * 100,
}));

const MANY = 64;
/** For many calls at once, with as many containers waiting. */
export const PLACES = { concurrency: MANY, maxWarm: MANY, maxWarmMemoryMb: MANY * 128 };
const LONG = { max_calls: 1_000_000, max_seconds: 86_400 };

/** Nothing waits that was not asked for in so many words. */
export const POLICY = {
  warm: 0,
  plugins: {
    [SESSION]: { isolation: 'session', reuse: LONG },
    [PLUGIN]: { isolation: 'plugin', reuse: LONG },
  },
};

/** What every benchmarked call is given. */
export interface Input {
  readonly payload: string;
  readonly sleepMs: number;
}

/** What every benchmarked call answers. */
export interface Output {
  readonly payload: string;
  /** The plugin's own time, on its own clock. */
  readonly ownMs: number;
}

export const PAYLOAD_BYTES = 1024;

/** Sleeps, and gives back what it was given. A plugin without an input sleeps for `sleepMs`. */
export function pluginCode({ sleepMs = 0 } = {}): string {
  return `export const execute = async ({ inputData }) => {
  const startedAt = performance.now();
  const { payload = '', sleepMs = ${sleepMs} } = inputData;
  if (sleepMs > 0) await new Promise((resolve) => setTimeout(resolve, sleepMs));
  return { payload, ownMs: performance.now() - startedAt };
};
`;
}

/** What a plugin gets that asks for nothing, but for less memory: fifty of them are to wait on a small machine. */
export const MANIFEST = { resources: { memory_mb: 128 } };

/** An input that no other call had, so that an answer can only be the one to it. */
export function createInput(sleepMs = 0): Input {
  return { payload: randomBytes(PAYLOAD_BYTES / 2).toString('hex'), sleepMs };
}

/** @throws when the answer is not the one to this input */
export function checkOutput(input: Input, answer: unknown): Output {
  const { payload, ownMs } = (answer ?? {}) as Partial<Output>;
  if (payload === input.payload && typeof ownMs === 'number') return { payload, ownMs };
  throw new Error(`The plugin gave a wrong answer: ${JSON.stringify(answer)?.slice(0, 200)}`);
}
