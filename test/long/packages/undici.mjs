import { once } from 'node:events';
import { createServer } from 'node:http';
import { request as send } from 'undici';

export async function execute({ inputData: far }) {
  if (typeof far === 'string') return (await send(far)).body.json();
  const server = createServer((request, response) =>
    response.end(JSON.stringify({ path: request.url })),
  ).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { body } = await send(`http://127.0.0.1:${server.address().port}/a?b=1`);
  const answer = await body.json();
  server.close();
  return answer;
}
