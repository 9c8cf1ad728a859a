import { test } from 'vitest';
import { SchemaChecker } from '../../src/schemas/schema-checker.ts';
import { fuzzSchemas } from './fuzz.ts';

test('no schema and no value costs more than its budget, or hurts the next check', {
  timeout: 120_000,
}, async () => {
  const checker = new SchemaChecker();
  await fuzzSchemas(checker, 100);
  await checker.close();
});
