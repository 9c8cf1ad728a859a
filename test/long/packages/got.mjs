import { once } from 'node:events';
import { createServer } from 'node:http';
import got from 'got';

export async function execute({ inputData: far }) {
  if (typeof far === 'string') return got(far, { retry: { limit: 0 } }).json();
  const server = createServer((request, response) =>
    response.end(JSON.stringify({ path: request.url })),
  ).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const answer = await got(`http://127.0.0.1:${server.address().port}/a`, { searchParams: { b: 1 } }).json();
  server.close();
  return answer;
}
