import type { Problem } from '../../src/errors.ts';
import type { Answer } from '../../src/schemas/messages.ts';
import { SchemaChecker } from '../../src/schemas/schema-checker.ts';
import { toSchemaText } from '../../src/schemas/schema-text.ts';

/** Shared by the tests of a file: its processes end with the one that runs the tests. */
export const SCHEMA_CHECKER = new SchemaChecker();

export interface AskOptions {
  readonly plugin?: string;
  readonly checker?: SchemaChecker;
  readonly signal?: AbortSignal;
}

/** What comes of checking one value; `undefined` has the schema compiled only. */
export async function answerOf(schema: object, value?: unknown, options: AskOptions = {}): Promise<Answer> {
  const { plugin = 'word-count', checker = SCHEMA_CHECKER, signal } = options;
  const text = toSchemaText(schema, 'input_schema');
  if (text === null) return { kind: 'checked', problems: [] };
  const json = value === undefined ? null : inPieces(JSON.stringify(value));
  const [answer] = await checker.check({ plugin, checks: [{ schema: text, value: json }], signal });
  return answer as Answer;
}

/** @throws Error when there is no verdict */
export async function problemsOf(schema: object, value: unknown): Promise<readonly Problem[]> {
  const answer = await answerOf(schema, value);
  if (answer.kind === 'checked') return answer.problems;
  throw new Error(answer.kind === 'unusable' ? JSON.stringify(answer.problems) : answer.reason);
}

export function inPieces(json: string): () => AsyncGenerator<string> {
  return async function* () {
    for (let at = 0; at < json.length; at += 32_768) yield json.slice(at, at + 32_768);
  };
}
