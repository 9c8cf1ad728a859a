import { VERSION } from '../version.ts';

// The reader of the output may leave before its end, as `head` does; the work and its exit code go on unchanged.
for (const stream of [process.stdout, process.stderr])
  stream.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') throw error;
  });

// Node tells no user of those in packages, but of those that the bundle holds it would.
process.noDeprecation = true;

const [command, ...rest] = process.argv.slice(2);
// The shortest answer needs nothing of the rest.
if (command === '--version' && rest.length === 0) process.stdout.write(`${VERSION}\n`);
else {
  (await import('./compile-cache.ts')).useCompileCache();
  // Whoever completes a line waits at each key.
  if (command === '__complete') await (await import('./complete.ts')).complete(rest);
  else {
    // Code that zod would write for each schema is faster from some hundred values on.
    (await import('zod/v4/core')).config({ jitless: true });
    process.exitCode = await (await import('./program.ts')).runProgram(process.argv);
  }
}
