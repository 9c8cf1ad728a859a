import type { BuildContext } from './build-context.ts';
import { lastLines, runCommand } from './command.ts';

/** What the TypeScript of one plugin may take to be stripped; beyond it, Node does that at each start. */
export const STRIP_LIMITS = {
  sourceBytes: 1024 * 1024,
  // A control character is six characters of JSON.
  outputBytes: 8 * 1024 * 1024,
  heapMegabytes: 256,
  wasmPages: (256 * 1024) / 64,
  timeoutMs: 20_000,
} as const;

/** Which stripper this Node has; other ones may blank out otherwise, so it is part of an image's key. */
export const STRIPPER = process.versions['amaro'] ?? 'none';

// Reads nothing but its input: the source is hostile, and a fault of the parser shall not reach this process.
const PROGRAM = `
  const { stripTypeScriptTypes } = require('node:module');
  const strip = (sources) => sources.map((source) => stripTypeScriptTypes(source, { mode: 'strip' }));
  require('node:stream/consumers').json(process.stdin).then((sources) => {
    process.stdout.write(JSON.stringify(strip(sources)));
  });
`;

const ARGUMENTS: readonly string[] = [
  '--permission',
  `--max-old-space-size=${STRIP_LIMITS.heapMegabytes}`,
  `--wasm-max-mem-pages=${STRIP_LIMITS.wasmPages}`,
  '--no-warnings',
  '--eval',
  PROGRAM,
];

/** Whether Node strips types of a file with this path. It does so for no package in a `node_modules`. */
export function isTypeScript(path: string): boolean {
  return /\.[mc]?ts$/.test(path) && !path.split('/').includes('node_modules');
}

/**
 * The sources without their types, which are blanked out, so that lines and columns stay. `null` when there is none, or
 * when one of them cannot be stripped within the limits: then all are left to Node, which tells what is wrong at load.
 */
export async function stripTypes(
  sources: ReadonlyMap<string, string>,
  { logger, signal }: Pick<BuildContext, 'logger' | 'signal'>,
): Promise<Map<string, string> | null> {
  if (sources.size === 0) return null;
  try {
    const stripped = await runStripper([...sources.values()], signal);
    return new Map([...sources.keys()].map((path, index) => [path, stripped[index] as string]));
  } catch (error) {
    signal.throwIfAborted();
    const reason = String(error).slice(-1_000);
    logger.debug({ reason }, 'the types of a plugin are left to be stripped at each start');
    return null;
  }
}

async function runStripper(sources: readonly string[], signal: AbortSignal): Promise<string[]> {
  const sizeBytes = sources.reduce((sum, source) => sum + Buffer.byteLength(source), 0);
  if (sizeBytes > STRIP_LIMITS.sourceBytes)
    throw new Error(`expected at most ${STRIP_LIMITS.sourceBytes} bytes of TypeScript, got ${sizeBytes}`);
  const stripper = await runCommand(process.execPath, ARGUMENTS, {
    timeoutMs: STRIP_LIMITS.timeoutMs,
    input: JSON.stringify(sources),
    maxStdoutBytes: STRIP_LIMITS.outputBytes,
    signal,
  });
  if (stripper?.exitCode !== 0) throw new Error(`the stripper failed: ${lastLines(stripper?.stderr ?? '')}`);
  // What is longer than it may be has lost its beginning, and is no JSON.
  const stripped: unknown = JSON.parse(stripper.stdout);
  if (Array.isArray(stripped) && stripped.length === sources.length && stripped.every(isText))
    return stripped;
  throw new Error('the stripper did not answer with a text for each file');
}

function isText(value: unknown): value is string {
  return typeof value === 'string';
}
