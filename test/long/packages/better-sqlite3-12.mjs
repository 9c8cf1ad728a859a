import Database from 'better-sqlite3';

export function execute() {
  const database = new Database(':memory:');
  database.exec('CREATE TABLE n (x); INSERT INTO n VALUES (1), (2), (3)');
  return database.prepare('SELECT sum(x) AS total FROM n').get();
}
