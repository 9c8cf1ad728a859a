import { once } from 'node:events';
import { createServer } from 'node:http';
import axios from 'axios';

export async function execute({ inputData: far }) {
  if (typeof far === 'string') return (await axios.get(far)).data;
  const server = createServer((request, response) =>
    response.end(JSON.stringify({ path: request.url })),
  ).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { data: answer } = await axios.get(`http://127.0.0.1:${server.address().port}/a`, {
    params: { b: 1 },
  });
  server.close();
  return answer;
}
