import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { until } from '../helpers/until.ts';

const SOURCE = new URL('../../src/schemas/', import.meta.url);
/** Checks without an end in both processes; `idle`: one that is quick, and then nothing. */
const program = (schema: object, then: string) => `
import { SchemaChecker } from '${new URL('schema-checker.ts', SOURCE).href}';
import { toSchemaText } from '${new URL('schema-text.ts', SOURCE).href}';
const checker = new SchemaChecker();
const check = (plugin) => checker.check({ plugin, checks: [{ schema: toSchemaText(${JSON.stringify(schema)}, 'x'), value: '"${'a'.repeat(60)}!"' }] });
${then}
`;
const HOSTILE = { pattern: '^(a+)+$' };

function checkersOf(pid: number): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((each) => {
      try {
        return (
          readFileSync(`/proc/${each}/stat`, 'utf8').includes(` ${pid} `) &&
          readFileSync(`/proc/${each}/cmdline`, 'utf8').includes('checker-program')
        );
      } catch {
        return false;
      }
    });
}

function isGone(pid: number): boolean {
  try {
    return readFileSync(`/proc/${pid}/stat`, 'utf8').includes(') Z ');
  } catch {
    return true;
  }
}

test.runIf(process.platform === 'linux')(
  'the processes end with an orchestrator that is killed, in the middle of a check too (P2)',
  async () => {
    const then = "for (;;) await Promise.all(['a', 'b', 'c'].map(check));";
    const child = spawn(process.execPath, ['--input-type=module', '-e', program(HOSTILE, then)], {
      stdio: 'ignore',
    });
    await until('both are there', () => checkersOf(child.pid as number).length === 2);
    const checkers = checkersOf(child.pid as number);
    child.kill('SIGKILL');
    await once(child, 'exit');
    await until('both are gone', () => checkers.every(isGone));
  },
);

test.runIf(process.platform === 'linux')(
  'a checker process that is started ahead does the checks, and does not keep the orchestrator alive',
  async () => {
    const then = `
      checker.start();
      checker.start();
      await new Promise((resolve) => process.stdin.once('data', resolve));
      process.stdin.unref();
      console.log(JSON.stringify(await check('a')));`;
    const child = spawn(process.execPath, ['--input-type=module', '-e', program({ type: 'number' }, then)], {
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    const ended = once(child, 'exit');
    await until('it is there', () => checkersOf(child.pid as number).length > 0);
    const ahead = checkersOf(child.pid as number);
    child.stdin.write('go');
    await once(child.stdout, 'data');
    expect(checkersOf(child.pid as number).filter((pid) => !ahead.includes(pid))).toEqual([]);
    expect(await ended).toEqual([0, null]);
    expect(ahead).toHaveLength(1);
    await until('it is gone', () => ahead.every(isGone));
  },
);

test('a closed checker starts nothing ahead', async () => {
  const then = `
    await checker.close();
    checker.start();
    console.log(process.getActiveResourcesInfo().filter((name) => name === 'ProcessWrap').length);`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', program({ type: 'number' }, then)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const [out] = await once(child.stdout, 'data');
  expect(String(out).trim()).toBe('0');
});

test('an idle checker process does not keep the orchestrator alive', async () => {
  const then = "console.log(JSON.stringify(await check('a')));";
  const child = spawn(process.execPath, ['--input-type=module', '-e', program({ type: 'number' }, then)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const said: string[] = [];
  child.stdout?.on('data', (chunk: Buffer) => said.push(chunk.toString()));
  const [code] = (await once(child, 'exit')) as [number];
  expect(code).toBe(0);
  expect(said.join('')).toContain('must be number');
});
