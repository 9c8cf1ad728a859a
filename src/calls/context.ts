import * as z from 'zod';
import { LurkboxError, type Problem } from '../errors.ts';
import { joinPath } from '../json/path.ts';
import { DEFAULT_MAX_JSON_DEPTH } from '../json/reader.ts';
import type { PluginExecutionContext } from '../protocol/messages.ts';

const text = z.string().max(512).nullable();
const values = z.record(z.string(), z.json());

/** What a caller writes; every field may be left out. */
export const ExecutionContextSchema = z.strictObject({
  userId: text.default(null).describe('Who the agent is talking to.'),
  channelId: text
    .default(null)
    .describe('The channel it came through; checked against the `channels` of the manifest.'),
  sessionId: text.default(null).describe('The conversation it belongs to.'),
  inputData: z.json().default({}).describe('What the plugin works on; checked against its `input_schema`.'),
  parameters: values.default({}).describe('Values of this call.'),
  environment: values
    .default({})
    .describe(
      'Plain values for the plugin; never the environment of a process, except that its clock shows the time zone `TZ`.',
    ),
  config: values.default({}).describe("The plugin's settings."),
});
export type ExecutionContextOptions = z.input<typeof ExecutionContextSchema>;
export type ExecutionContextConfig = Omit<PluginExecutionContext, 'executionId'>;

/** Larger contexts belong into a mount; this one has to be held, copied and parsed on both sides. */
export const MAX_CONTEXT_BYTES = 16 * 1024 * 1024;

/** Keys that are shown of the path to a value that is too deep. */
const MAX_SHOWN_KEYS = 8;

/** The names of the plugin system that this one rebuilds, and of everything else that people write for lurkbox. */
const SNAKE_CASE: Readonly<Record<string, string>> = {
  user_id: 'userId',
  channel_id: 'channelId',
  session_id: 'sessionId',
  input_data: 'inputData',
};

/** @throws LurkboxError `CONTEXT_INVALID` with every problem */
export function parseContext(written: unknown): ExecutionContextConfig {
  assertWalkable(written);
  const parsed = ExecutionContextSchema.safeParse(toCamelCase(written));
  if (parsed.success) return parsed.data;
  throw invalidContext(parsed.error.issues.flatMap(toProblems));
}

function toProblems({ path, message, ...issue }: z.core.$ZodIssue): Problem[] {
  if (!('keys' in issue) || !Array.isArray(issue.keys)) return [{ path: joinPath(path), message }];
  const known = Object.keys(ExecutionContextSchema.shape).join(', ');
  return issue.keys.map((key) => ({
    path: joinPath([...path, String(key)]),
    message: `unknown key; known are ${known}`,
  }));
}

// A value that contains itself or is too deep would overflow the stack of whoever walks it; the schema would be first.
function assertWalkable(written: unknown): void {
  let problem: Problem | null;
  try {
    problem = findUnwalkable(written, []);
  } catch (cause) {
    throw invalidContext([{ path: '', message: 'holds a value that cannot be read' }], cause);
  }
  if (problem !== null) throw invalidContext([problem]);
}

function findUnwalkable(value: unknown, path: PropertyKey[]): Problem | null {
  if (typeof value !== 'object' || value === null) return null;
  if (path.length >= DEFAULT_MAX_JSON_DEPTH) {
    const message = `nested deeper than ${DEFAULT_MAX_JSON_DEPTH} levels, or contains itself`;
    return { path: joinPath(path.slice(0, MAX_SHOWN_KEYS)), message };
  }
  for (const [key, member] of Array.isArray(value) ? value.entries() : Object.entries(value)) {
    path.push(key);
    if (key === '__proto__') return { path: joinPath(path), message: 'the key `__proto__` is not allowed' };
    const problem = findUnwalkable(member, path);
    if (problem !== null) return problem;
    path.pop();
  }
  return null;
}

function invalidContext(problems: readonly Problem[], cause?: unknown): LurkboxError {
  return new LurkboxError('CONTEXT_INVALID', 'The context is not one that a plugin can be called with.', {
    problems,
    cause,
  });
}

// Where both spellings are given, the snake_case one stays and is refused as unknown, because only one value can be meant.
export function toCamelCase(written: unknown): unknown {
  if (typeof written !== 'object' || written === null || Array.isArray(written)) return written;
  const entries = Object.entries(written).map(([key, value]) => {
    const name = Object.hasOwn(SNAKE_CASE, key) ? (SNAKE_CASE[key] as string) : key;
    return [Object.hasOwn(written, name) ? key : name, value];
  });
  return Object.fromEntries(entries);
}
