import { test } from 'vitest';
import { SchemaChecker } from '../../src/schemas/schema-checker.ts';
import { fuzzSchemas } from '../schemas/fuzz.ts';

test('thousands of hostile schemas and values stay within their budgets', {
  timeout: 3_600_000,
}, async () => {
  const checker = new SchemaChecker();
  await fuzzSchemas(checker, 3_000);
  await checker.close();
});
