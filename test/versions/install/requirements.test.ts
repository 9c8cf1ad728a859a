import { expect, test } from 'vitest';
import {
  dependentsOf,
  orderByRequirements,
  type Requirable,
} from '../../../src/versions/install/requirements.ts';

function plugin(name: string, requires: readonly string[] = [], versions = ['1.0.0']): Requirable {
  return { name, requires, versions };
}

test('a required plugin is loaded before the one that requires it', () => {
  const { order, problems } = orderByRequirements([
    plugin('report', ['table@^1', 'mail@1.x']),
    plugin('table', ['mail@*']),
    plugin('mail'),
    plugin('alone'),
  ]);
  expect(order).toEqual(['mail', 'table', 'report', 'alone']);
  expect(problems.size).toBe(0);
});

test('any installed version can satisfy a requirement', () => {
  const { order } = orderByRequirements([plugin('a', ['b@^1.2']), plugin('b', [], ['2.0.0', '1.3.0'])]);
  expect(order).toEqual(['b', 'a']);
});

test.each([
  [
    'a missing one is named',
    [plugin('a', ['b@^1'])],
    'a',
    'cannot be met: a → b@^1 (no plugin `b` is installed)',
  ],
  [
    'a conflict tells what is installed',
    [plugin('a', ['b@^2']), plugin('b', [], ['1.0.0', '1.1.0'])],
    'a',
    'cannot be met: a → b@^2 (installed of it: 1.0.0, 1.1.0)',
  ],
  [
    'the way to what is missing is told',
    [plugin('a', ['b@*']), plugin('b', ['c@*']), plugin('c', ['d@^3'])],
    'a',
    'cannot be met: a → b → c → d@^3 (no plugin `d` is installed)',
  ],
  ['a circle of one', [plugin('a', ['a@*'])], 'a', 'cannot be met: a → a (a circle)'],
  [
    'a circle is told with its way',
    [plugin('a', ['b@*']), plugin('b', ['c@*']), plugin('c', ['b@*'])],
    'b',
    'cannot be met: b → c → b (a circle)',
  ],
  [
    'who leads into a circle cannot be loaded either',
    [plugin('b', ['c@*']), plugin('c', ['b@*']), plugin('a', ['b@*'])],
    'a',
    'cannot be met: a → b → c → b (a circle)',
  ],
])('%s', (_what, plugins, name, message) => {
  const { order, problems } = orderByRequirements(plugins);
  expect(problems.get(name)).toEqual({ path: 'requires.0', message });
  expect(order).not.toContain(name);
});

test('every member of a cycle is reported, and other plugins are loaded', () => {
  const { order, problems } = orderByRequirements([plugin('a', ['b@*']), plugin('b', ['a@*']), plugin('c')]);
  expect([...problems.keys()].sort()).toEqual(['a', 'b']);
  expect(order).toEqual(['c']);
});

test('the dependents of a version are the plugins that no other version satisfies', () => {
  const plugins = [
    plugin('b', [], ['1.0.0', '2.0.0']),
    plugin('old', ['b@^1']),
    plugin('new', ['b@^2']),
    plugin('any', ['b@*']),
  ];
  expect(dependentsOf('b', null, plugins)).toEqual(['old', 'new', 'any']);
  expect(dependentsOf('b', '1.0.0', plugins)).toEqual(['old']);
});

test('one of two contents of the same version has no dependents', () => {
  const plugins = [plugin('b', [], ['1.0.0', '1.0.0']), plugin('old', ['b@^1'])];
  expect(dependentsOf('b', '1.0.0', plugins)).toEqual([]);
});
