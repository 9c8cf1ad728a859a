/**
 * `node life.ts <source> <workspace> <step>`: a plugin is installed, updated, rolled back and unloaded; before the step of that
 * number this process is killed. Ends with the number of steps that there were. 0 kills nothing.
 */
import { join } from 'node:path';

const [, , source = '', root = '', killAt = '0'] = process.argv;
const { createLurkbox } = await import(join(source, 'index.ts'));
const { PluginRegistry } = await import(join(source, 'versions/registry/registry.ts'));
const { CopiedFiles } = await import(join(source, 'versions/install/plugin-files.ts'));

let steps = 0;

function step(): void {
  if (++steps === Number(killAt)) process.kill(process.pid, 'SIGKILL');
}

/** Makes a step of the moment before and of the moment after each call. */
function watch(prototype: Record<string, (...args: unknown[]) => unknown>, methods: readonly string[]): void {
  for (const method of methods) {
    const original = prototype[method] as (...args: unknown[]) => unknown;
    prototype[method] = function (this: unknown, ...args: unknown[]) {
      step();
      const result = original.apply(this, args);
      if (!(result instanceof Promise)) step();
      return result instanceof Promise ? result.then(watchStaged) : result;
    };
  }
}

function watchStaged(staged: Record<string, () => unknown> | undefined): unknown {
  step();
  if (staged !== undefined && 'place' in staged) watch(staged as never, ['place']);
  return staged;
}

watch(PluginRegistry.prototype, [
  'transaction',
  'register',
  'unregister',
  'activate',
  'setState',
  'setConsents',
]);
watch(CopiedFiles.prototype, ['stage', 'remove', 'sweep']);

const env = { DOCKER_HOST: 'unix:///nonexistent/docker.sock' };
const lurkbox = await createLurkbox({ workspaceRoot: root, maxWarm: 0, env });
await lurkbox.plugins.loadPlugin(join(root, 'one'));
await lurkbox.plugins.loadPlugin(join(root, 'two')).catch((error: { code: string }) => {
  if (error.code !== 'CONSENT_NEEDED') throw error;
});
lurkbox.plugins.consent('life@2.0.0');
lurkbox.plugins.rollbackPlugin('life');
await lurkbox.plugins.unloadPlugin('life@2.0.0');
await lurkbox.close();
console.log(steps);
