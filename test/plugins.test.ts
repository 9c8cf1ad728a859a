import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { Ajv2020 } from 'ajv/dist/2020.js';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type PluginManifest, PluginManifestSchema } from '../src/manifest/schema.ts';

const PLUGINS = join(import.meta.dirname, '../plugins');
const EXAMPLES = join(import.meta.dirname, '../examples');

interface Fixture {
  title: string;
  context: { inputData: Record<string, unknown>; config?: Record<string, unknown> };
  expect: { outcome: string; result?: unknown; error?: string };
}

/** How a call ended, in the words of an execution. */
interface Ending {
  outcome: string;
  result?: Record<string, unknown>;
  error?: string;
}

const host = { log() {}, progress() {}, signal: new AbortController().signal };
const ajv = new Ajv2020({ strict: true, strictRequired: false, allowUnionTypes: true });

function readJson<T>(...path: string[]): T {
  return JSON.parse(readFileSync(join(PLUGINS, ...path), 'utf8'));
}

async function importFile(...path: string[]) {
  return await import(pathToFileURL(join(PLUGINS, ...path)).href);
}

const names = readdirSync(PLUGINS, { withFileTypes: true })
  .filter((entry) => entry.isDirectory())
  .map((entry) => entry.name);

const manifests = new Map(
  names.map((name) => [name, PluginManifestSchema.parse(readJson(name, 'plugin.json'))]),
);

// What lurkbox does around a plugin, without the sandbox: input schema, call, output schema.
async function call(name: string, context: Fixture['context']): Promise<Ending> {
  const manifest = manifests.get(name)!;
  const inputFault = faultOf(manifest.input_schema, context.inputData);
  if (inputFault !== null) return { outcome: 'INPUT_INVALID', error: inputFault };
  const { execute } = await importFile(name, manifest.entry_point);
  let result: Record<string, unknown>;
  try {
    result = JSON.parse(JSON.stringify(await execute({ config: {}, ...context }, host)));
  } catch (error) {
    return { outcome: 'PLUGIN_ERROR', error: (error as Error).message };
  }
  const outputFault = faultOf(manifest.output_schema, result);
  return outputFault === null ? { outcome: 'OK', result } : { outcome: 'OUTPUT_INVALID', error: outputFault };
}

function faultOf(schema: PluginManifest['input_schema'], value: unknown): string | null {
  return ajv.validate(schema, value) ? null : ajv.errorsText();
}

describe.each(names)('%s', (name) => {
  const manifest = manifests.get(name)!;
  const fixtures = readdirSync(join(PLUGINS, name, 'fixtures')).map((file) =>
    readJson<Fixture>(name, 'fixtures', file),
  );

  test('the folder is complete and its manifest is valid', () => {
    expect(manifest.name).toBe(name);
    expect(existsSync(join(PLUGINS, name, manifest.entry_point))).toBe(true);
    expect(readFileSync(join(PLUGINS, name, 'README.md'), 'utf8')).toContain(
      `npx lurkbox run ${name} --input`,
    );
    for (const schema of [manifest.input_schema, manifest.output_schema, manifest.config_schema]) {
      expect(() => ajv.compile(schema)).not.toThrow();
    }
  });

  test('the fixtures have different titles and try a bad input', () => {
    expect(new Set(fixtures.map(({ title }) => title)).size).toBe(fixtures.length);
    expect(fixtures.length).toBeGreaterThanOrEqual(4);
    expect(fixtures.map((fixture) => fixture.expect.outcome)).toContain('INPUT_INVALID');
  });

  // npm dependencies are installed in the image alone; the container test runs the same fixtures there.
  if (manifest.dependencies.length > 0) return;

  test.each(fixtures.map((fixture) => [fixture.title, fixture] as const))('%s', async (_, fixture) => {
    const { context, expect: expected } = fixture;
    const ending = await call(name, context);
    expect(ending).toMatchObject({
      outcome: expected.outcome,
      ...(expected.result === undefined ? {} : { result: expected.result }),
      ...(expected.error === undefined ? {} : { error: expect.stringContaining(expected.error) }),
    });
  });

  test('the example of the README gives the shown result', async () => {
    const readme = readFileSync(join(PLUGINS, name, 'README.md'), 'utf8');
    const input = /--input '(.*)'$/m.exec(readme)?.[1] ?? '';
    const result = /^```json\n(.*?)^```/ms.exec(readme)?.[1] ?? '';
    expect(await call(name, { inputData: JSON.parse(input) })).toEqual({
      outcome: 'OK',
      result: JSON.parse(result),
    });
  });

  test('the example message gives a result that fits the output schema', async () => {
    const inputData = {
      user_message: readFileSync(join(EXAMPLES, 'message.txt'), 'utf8'),
      csv: readFileSync(join(EXAMPLES, 'sales.csv'), 'utf8'),
    };
    expect(await call(name, { inputData })).toMatchObject({
      outcome: 'OK',
      result: { summary: expect.any(String) },
    });
  });

  test('any message gives a result', async () => {
    const fragments = fc.constantFrom(
      '1',
      ' ',
      '.',
      '@',
      '-',
      '+',
      '(',
      ':',
      '\n',
      'a',
      '今',
      '\u0000',
      '"',
      '%',
    );
    const messages = fc.oneof(
      fc.string({ unit: 'binary' }),
      fc.array(fragments).map((parts) => parts.join('')),
    );
    await fc.assert(
      fc.asyncProperty(messages, async (message) => {
        expect(await call(name, { inputData: { user_message: message } })).toMatchObject({ outcome: 'OK' });
      }),
    );
  });
});

describe('calculator', () => {
  const evaluate = async (expression: string) =>
    (await call('calculator', { inputData: { expression } })).result;

  // The reference is bigint arithmetic of the host, on a tree that is printed with all its parentheses.
  const integers = fc.letrec<{ tree: { text: string; value: bigint } }>((tie) => ({
    tree: fc.oneof(
      { maxDepth: 5 },
      fc.bigInt(0n, 10n ** 20n).map((value) => ({ text: String(value), value })),
      fc.tuple(tie('tree'), fc.constantFrom('+', '-', '*'), tie('tree')).map(([a, sign, b]) => ({
        text: `(${a.text}${sign}${b.text})`,
        value: sign === '+' ? a.value + b.value : sign === '-' ? a.value - b.value : a.value * b.value,
      })),
    ),
  })).tree;

  test('whole numbers are computed exactly', async () => {
    await fc.assert(
      fc.asyncProperty(integers, async ({ text, value }) => {
        fc.pre(text.length <= 1000 && value.toString(2).length < 2000);
        expect(await evaluate(text)).toMatchObject({ exact: String(value) });
      }),
    );
  });

  test('a chain without parentheses has the precedence of JavaScript', async () => {
    const chain = fc.array(
      fc.tuple(fc.constantFrom('+', '-', '*', '/', '**'), fc.integer({ min: 1, max: 9 })),
      {
        minLength: 1,
        maxLength: 4,
      },
    );
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 1, max: 9 }), chain, async (first, rest) => {
        const text = rest.reduce((soFar, [sign, number]) => `${soFar} ${sign} ${number}`, String(first));
        // Digits and signs from above, nothing else.
        const reference = Function(`return ${text}`)() as number;
        fc.pre(Math.abs(reference) < 1e300 && Math.abs(reference) > 1e-9);
        const value = (await evaluate(text))?.['value'];
        // A power of a power may be refused as too large, though what it divides is not.
        fc.pre(typeof value === 'number' || / \*\* \d \*\* /.test(text) === false);
        expect(Math.abs((value as number) / reference - 1)).toBeLessThan(1e-9);
      }),
    );
  });

  test('a fraction becomes the nearest double', async () => {
    const { parseDecimal, toNumber } = await importFile('calculator', 'number.mjs');
    fc.assert(
      fc.property(fc.double({ noNaN: true, noDefaultInfinity: true, min: 0 }), (number) => {
        expect(toNumber(parseDecimal(String(number)))).toBe(number + 0);
      }),
    );
  });

  test('any expression ends in a finite number or in an error with a position', async () => {
    const pieces = fc.constantFrom(
      '1',
      '9',
      '0',
      '.',
      '+',
      '-',
      '*',
      '/',
      '^',
      '%',
      '(',
      ')',
      ',',
      'sin',
      'max',
      'e',
      ' ',
    );
    const expressions = fc.array(pieces, { minLength: 1, maxLength: 40 }).map((parts) => parts.join(''));
    await fc.assert(
      fc.asyncProperty(expressions, async (expression) => {
        const { outcome, result, error } = await call('calculator', { inputData: { expression } });
        if (outcome === 'OK') expect(result?.['found']).toBe(true);
        else expect([outcome, error]).toEqual(['PLUGIN_ERROR', expect.stringMatching(/ at position \d+$/)]);
      }),
    );
  });
});

describe('pii-masker', () => {
  const mask = async (text: string) => (await call('pii-masker', { inputData: { text } })).result ?? {};
  const digits = (length: number) => fc.stringMatching(new RegExp(`^\\d{${length}}$`));

  const octet = fc.integer({ min: 0, max: 255 });
  const secrets = fc.oneof(
    fc.stringMatching(/^[a-z][a-z0-9._]{0,20}[a-z0-9]@[a-z][a-z0-9]{0,20}\.(?:com|org|co\.uk)$/),
    fc.tuple(octet, octet, octet, octet).map((octets) => octets.join('.')),
    fc.ipV6().filter((address) => /\d/.test(address)),
    digits(14).map((rest) => withCheckDigit(`4${rest}`)),
    digits(14).map((rest) => withCheckDigit(`4${rest}`).replace(/\d{4}(?=\d)/g, '$& ')),
    fc.tuple(fc.integer({ min: 1, max: 99 }), digits(9)).map(([country, rest]) => `+${country} ${rest}`),
    fc.tuple(digits(2), digits(4)).map(([a, b]) => `(5${a}) 234-${b}`),
  );

  function withCheckDigit(digits: string): string {
    return [...'0123456789'].map((digit) => digits + digit).find(hasValidCheckDigit) as string;
  }

  // Written the other way round than in the plugin: the digits doubled by table, from the left.
  function hasValidCheckDigit(digits: string): boolean {
    const doubled = [0, 2, 4, 6, 8, 1, 3, 5, 7, 9];
    const sum = [...digits].reduce(
      (total, digit, at) =>
        total + ((digits.length - at) % 2 === 0 ? doubled[Number(digit)]! : Number(digit)),
      0,
    );
    return sum % 10 === 0;
  }

  test('the Luhn check agrees with a second implementation', async () => {
    const { passesLuhn } = await importFile('pii-masker', 'cards.mjs');
    fc.assert(
      fc.property(fc.stringMatching(/^\d{1,40}$/), (digits) => {
        expect(passesLuhn(digits)).toBe(hasValidCheckDigit(digits));
      }),
    );
  });

  test('changing one digit of a card number breaks its check digit', async () => {
    const { passesLuhn } = await importFile('pii-masker', 'cards.mjs');
    for (let at = 0; at < 16; at++) {
      for (const digit of '0123456789') {
        const changed = `4111111111111111`.slice(0, at) + digit + `4111111111111111`.slice(at + 1);
        expect(passesLuhn(changed)).toBe(changed === '4111111111111111');
      }
    }
  });

  test('the text holds nothing of what was masked', async () => {
    const texts = fc.array(fc.tuple(secrets, fc.constantFrom(', ', '; ', '\n', ' and ', '，和')), {
      minLength: 1,
    });
    await fc.assert(
      fc.asyncProperty(texts, async (parts) => {
        const result = await mask(parts.map(([secret, gap]) => secret + gap).join(''));
        for (const [secret] of parts) expect(result['text']).not.toContain(secret);
      }),
    );
  });

  test('findings are in order, do not overlap, and everything between them is kept', async () => {
    const noise = fc.constantFrom(
      '1',
      '+',
      '-',
      '.',
      ':',
      '@',
      ' ',
      'a',
      '(',
      ')',
      '4111 1111 1111 1111',
      '10.0.0.1',
    );
    const texts = fc.array(fc.oneof(secrets, noise)).map((parts) => parts.join(''));
    await fc.assert(
      fc.asyncProperty(texts, async (text) => {
        const result = await mask(text);
        let [from, rebuilt] = [0, ''];
        for (const { kind, start, end } of result['findings'] as {
          kind: string;
          start: number;
          end: number;
        }[]) {
          expect(start).toBeGreaterThanOrEqual(from);
          expect(end).toBeGreaterThan(start);
          rebuilt += `${text.slice(from, start)}[${kind.toUpperCase()}]`;
          from = end;
        }
        expect(result['text']).toBe(rebuilt + text.slice(from));
      }),
    );
  });

  test('the number of characters looked at for addresses grows in proportion to the text', async () => {
    const { findEmails } = await importFile('pii-masker', 'emails.mjs');
    const looks = (text: string) => {
      let count = 0;
      const counting = {
        length: text.length,
        indexOf: (sign: string, from: number) => text.indexOf(sign, from),
        slice: (start: number, end: number) => text.slice(start, end),
      };
      const seen = new Proxy(counting, {
        get(target, key) {
          if (typeof key !== 'string' || !/^\d+$/.test(key)) return Reflect.get(target, key);
          count++;
          return text[Number(key)];
        },
      });
      for (const _ of findEmails(seen));
      return count;
    };
    for (const unit of ['@', 'a@', 'a', 'a@a.', `${'a'.repeat(70)}@`]) {
      const [small, large] = [looks(unit.repeat(100)), looks(unit.repeat(1000))];
      expect(large).toBeLessThanOrEqual(small * 10 + 1000);
    }
  });
});

describe('text-stats', () => {
  test('a long text is passed on in pieces without loss', async () => {
    const { sentencePieces, wordPieces } = await importFile('text-stats', 'pieces.mjs');
    const units = fc.constantFrom('word ', 'a', '。', '今天', '\n', '👍', '. ');
    const texts = fc
      .tuple(fc.array(units, { maxLength: 50 }), fc.integer({ min: 1, max: 200 }))
      .map(([parts, times]) => parts.join('').repeat(times));
    fc.assert(
      fc.property(texts, (text) => {
        for (const pieces of [[...wordPieces(text)], [...sentencePieces(text)]]) {
          expect(pieces.join('')).toBe(text);
          expect(Math.max(0, ...pieces.map((piece: string) => piece.length))).toBeLessThanOrEqual(1024);
          expect(pieces.every((piece: string) => piece.isWellFormed())).toBe(true);
        }
      }),
      { numRuns: 50 },
    );
  });

  test.each([
    ['cat', 1],
    ['table', 2],
    ['reading', 2],
    ['readability', 5],
    ['jumped', 1],
    ['wanted', 2],
    ['the', 1],
    ['quick', 1],
  ])('the syllables of "%s" are %i', async (word, syllables) => {
    const { countSyllables } = await importFile('text-stats', 'readability.mjs');
    expect(countSyllables(word)).toBe(syllables);
  });
});

// Without Papa Parse: what profiles the rows needs no dependency.
describe('csv-profiler', () => {
  test.each([
    ['12', 'integer'],
    ['-1,234.50', 'number'],
    ['1e3', 'integer'],
    ['0.5', 'number'],
    ['007', 'text'],
    ['9007199254740993', 'text'],
    ['1e999', 'text'],
    ['1,23', 'text'],
    ['Infinity', 'text'],
    ['0x10', 'text'],
    ['yes', 'boolean'],
    ['2026-02-28', 'date'],
    ['2026-02-30', 'text'],
    ['2026-11-30T10:00:00Z', 'date'],
    ['31.12.2026', 'date'],
    ['13/13/2026', 'text'],
    [' n/a ', 'missing'],
    ['', 'missing'],
  ])('the cell "%s" is %s', async (cell, type) => {
    const { readValue } = await importFile('csv-profiler', 'values.mjs');
    expect(readValue(cell, false).type).toBe(type);
  });

  test('a decimal comma is read when the file has them', async () => {
    const { readValue } = await importFile('csv-profiler', 'values.mjs');
    expect(readValue('1.234,50', true)).toEqual({ type: 'number', number: 1234.5 });
  });

  test('mean and deviation agree with the two-pass formulas', async () => {
    const { describeNumbers } = await importFile('csv-profiler', 'statistics.mjs');
    fc.assert(
      fc.property(fc.array(fc.integer({ min: -1000, max: 1000 }), { minLength: 2 }), (numbers) => {
        const mean = numbers.reduce((a, b) => a + b) / numbers.length;
        const squares = numbers.reduce((sum, number) => sum + (number - mean) ** 2, 0);
        const { mean: found, stddev, min, max } = describeNumbers(numbers);
        expect(found).toBeCloseTo(mean, 6);
        expect(stddev).toBeCloseTo(Math.sqrt(squares / (numbers.length - 1)), 6);
        expect([min, max]).toEqual([Math.min(...numbers), Math.max(...numbers)]);
      }),
    );
  });

  test('quartiles are those of a spreadsheet, and too large a figure is null', async () => {
    const { describeNumbers } = await importFile('csv-profiler', 'statistics.mjs');
    expect(describeNumbers([1, 2, 3, 4])).toMatchObject({ q1: 1.75, median: 2.5, q3: 3.25 });
    expect(describeNumbers([1.5e308, -1.5e308])).toMatchObject({ mean: null, min: -1.5e308 });
  });
});
