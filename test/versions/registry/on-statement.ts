import { Database } from '../../../src/storage/database.ts';

const METHODS = ['exec', 'all', 'get', 'run'] as const;

/** Calls `before` before each statement that SQLite is told, with how many there were and its text; what it throws, the statement throws. */
export function onStatement(before: (count: number, sql: string) => void): Disposable {
  let count = 0;
  const originals = METHODS.map((method) => [method, Database.prototype[method]] as const);
  for (const [method, original] of originals)
    Database.prototype[method] = function (this: Database, ...args: unknown[]): never {
      before(++count, String(args[0]));
      return Reflect.apply(original, this, args) as never;
    };
  return {
    [Symbol.dispose]: () => {
      for (const [method, original] of originals) Database.prototype[method] = original as never;
    },
  };
}
