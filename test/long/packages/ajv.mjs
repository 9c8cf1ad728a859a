import Ajv from 'ajv';

export function execute() {
  const check = new Ajv({ allErrors: true }).compile({
    type: 'object',
    properties: { age: { type: 'integer', minimum: 0 } },
    required: ['age', 'name'],
  });
  return { good: check({ age: 3, name: 'a' }), bad: check({ age: -1 }), problems: check.errors.length };
}
