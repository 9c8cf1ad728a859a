import initSqlJs from 'sql.js';

export async function execute() {
  const SQL = await initSqlJs();
  const database = new SQL.Database();
  database.run('CREATE TABLE sales (city TEXT, euros INT)');
  database.run('INSERT INTO sales VALUES (?, ?), (?, ?)', ['Bonn', 3, 'Ulm', 4]);
  const [{ values }] = database.exec('SELECT sum(euros), group_concat(city) FROM sales');
  const copy = new SQL.Database(database.export());
  return { values, again: copy.exec('SELECT count(*) FROM sales')[0].values[0][0] };
}
