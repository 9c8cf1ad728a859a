import { createServer } from 'node:net';

export async function execute() {
  const codes = [];
  const servers = Array.from({ length: 400 }, () => createServer());
  await Promise.all(
    servers.map(
      (server, index) =>
        new Promise((resolve) => {
          server.once('error', (error) => resolve(codes.push(error.code)));
          server.listen(`/tmp/${index}`, resolve);
        }),
    ),
  );
  return { failed: codes.length > 150, codes: [...new Set(codes)] };
}
