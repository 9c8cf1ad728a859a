import { createReadStream } from 'node:fs';
import { type ExecutionContextOptions, LurkboxError, MAX_CONTEXT_BYTES, type Problem } from '../index.ts';
import { parseJson } from '../json/reader.ts';
import { quotePath } from '../printable.ts';

/** `--context FILE|-` and `--input JSON` → the context to execute with. @throws LurkboxError `CONTEXT_INVALID` */
export async function readContext(options: {
  context?: string;
  input?: string;
}): Promise<ExecutionContextOptions> {
  const context = options.context === undefined ? {} : await readContextFile(options.context);
  if (options.input === undefined) return context;
  return { ...context, inputData: parse(options.input, '--input') as never };
}

async function readContextFile(file: string): Promise<ExecutionContextOptions> {
  const source = file === '-' ? 'the context on stdin' : `the context file ${quotePath(file)}`;
  const context = parse(await readText(file, source), source);
  if (typeof context === 'object' && context !== null && !Array.isArray(context)) return context;
  throw invalid(`Expected ${source} to be a JSON object such as {"inputData": {}}.`);
}

async function readText(file: string, source: string): Promise<string> {
  const stream = file === '-' ? process.stdin : createReadStream(file);
  const chunks: Buffer[] = [];
  let bytes = 0;
  try {
    for await (const chunk of stream) {
      bytes += (chunk as Buffer).length;
      if (bytes > MAX_CONTEXT_BYTES)
        throw invalid(`Expected ${source} to have at most ${MAX_CONTEXT_BYTES} bytes.`);
      chunks.push(chunk as Buffer);
    }
  } catch (error) {
    if (error instanceof LurkboxError) throw error;
    throw invalid(`Could not read ${source}: ${error instanceof Error ? error.message : String(error)}.`);
  }
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(Buffer.concat(chunks));
  } catch {
    throw invalid(`Expected ${source} to be UTF-8.`);
  }
}

function parse(text: string, source: string): unknown {
  const reading = parseJson(text);
  if (reading.ok) return reading.value;
  const isJson = reading.faults.every(({ reason }) => reason === 'inexact_number');
  const expected = isJson
    ? `the numbers of ${source} to fit into those of JavaScript`
    : `${source} to be JSON`;
  throw invalid(`Expected ${expected}.`, reading.faults);
}

function invalid(message: string, problems: readonly Problem[] = []): LurkboxError {
  return new LurkboxError('CONTEXT_INVALID', message, { problems });
}
