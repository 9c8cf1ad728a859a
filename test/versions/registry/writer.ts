// node writer.ts <folder> <job> [argument…]
// A process that writes to a registry; tests start several, and kill them. It says on stdout what it has done.

import { digestOf, newVersion, openRegistry } from './sample.ts';

const [folder = '', job = '', ...rest] = process.argv.slice(2);
// Whoever kills it begins to count here.
process.stdout.write('begins\n');
const registry = await openRegistry(folder);

switch (job) {
  case 'open':
    await registry.close();
    break;
  case 'many': {
    const [name, count] = rest;
    for (let index = 0; index < Number(count); index++) {
      const { id } = registry.register(newVersion(`${name}-${index}`));
      registry.countCall(id, { success: true, ms: 1 });
      registry.appendEvent(eventOf(`${name}-${index}`));
    }
    const { id } = registry.get('shared')!.versions[0]!;
    for (let index = 0; index < Number(count); index++) registry.countCall(id, { success: false, ms: 1 });
    await registry.close();
    break;
  }
  // Two plugins that are always at the same version, until it is killed.
  case 'pairs':
    for (let patch = 0; ; patch++) {
      registry.transaction(() => {
        for (const name of ['left', 'right']) {
          const { id } = registry.register(newVersion(name, `1.0.${patch}`));
          registry.activate(name, id);
          registry.setState(id, 'enable');
          const old = registry.get(name)!.versions[1];
          if (old !== undefined) registry.unregister(name, old.id);
        }
      });
      process.stdout.write(`${patch}\n`);
      // Timers of counts and backups have their turn.
      if (patch % 20 === 0) await new Promise((resolve) => setTimeout(resolve, 5));
    }
  // Dies in the middle of a transaction, before its nth step.
  case 'steps': {
    let left = Number(rest[0]);
    const step = (work: () => void) => {
      if (left-- === 0) process.kill(process.pid, 'SIGKILL');
      work();
    };
    registry.transaction(() => {
      const { id } = registry.get('left')!.versions[0]!;
      step(() => registry.register(newVersion('right', '2.0.0')));
      step(() => registry.setState(id, 'enable'));
      step(() => registry.activate('left', id));
      const permissions = { ...registry.get('left')!.consented, exec: true };
      step(() => registry.setConsents('left', [{ digest: digestOf('left'), permissions }]));
      step(() => registry.unregister('middle'));
      step(() => {});
    });
    step(() => {});
    step(() => registry.flush());
    await registry.close();
    break;
  }
}

function eventOf(pluginName: string) {
  return {
    v: 2,
    eventType: 'LOAD',
    pluginName,
    version: null,
    digest: null,
    timestamp: new Date().toISOString(),
    success: true,
    message: null,
    error: null,
    metadata: {},
  } as const;
}
