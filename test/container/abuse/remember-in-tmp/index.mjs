import { readdirSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { attempt, knock } from './attempt.mjs';

const MARK = 'mark-of-an-earlier-call';

export async function execute() {
  const seen = ['/tmp', '/scratch'].flatMap((folder) => readdirSync(folder, { recursive: true }));
  const socket = await attempt(() => knock(`\0${MARK}`));
  const port = await attempt(() => knock({ host: '127.0.0.1', port: 4242 }));
  const known = [process.env[MARK], globalThis[MARK], process.title === MARK].some(Boolean);
  for (const folder of ['/tmp', '/scratch']) writeFileSync(`${folder}/${MARK}`, MARK);
  process.env[MARK] = globalThis[MARK] = 'set';
  process.title = MARK;
  createServer().listen(`\0${MARK}`);
  createServer().listen(4242);
  await new Promise((resolve) => setTimeout(resolve, 20));
  return { seen, socket, port, known };
}
