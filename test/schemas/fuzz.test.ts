import { test } from 'vitest';
import { SchemaChecker } from '../../src/schemas/schema-checker.ts';
import { fuzzSchemas } from './fuzz.ts';

test('no schema or value exceeds its budget or affects the next check', {
  timeout: 120_000,
}, async () => {
  const checker = new SchemaChecker();
  await fuzzSchemas(checker, 100);
  await checker.close();
});
