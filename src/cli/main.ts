import { VERSION } from '../version.ts';

// The reader of the output may leave before its end, as `head` does; the work and its exit code go on unchanged.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') throw error;
});

const [command, ...rest] = process.argv.slice(2);
// The shortest answer needs nothing of the rest.
if (command === '--version' && rest.length === 0) process.stdout.write(`${VERSION}\n`);
else {
  (await import('./compile-cache.ts')).useCompileCache();
  (await import('./unused-packages.ts')).loadLess();
  // Whoever completes a line waits at each key.
  if (command === '__complete') await (await import('./complete.ts')).complete(rest);
  else process.exitCode = await (await import('./program.ts')).runProgram(process.argv);
}
