import { ENGINE_REQUIREMENTS, type EngineFacts } from '../index.ts';
import { attack, showAttacks } from './attack.ts';
import { EXIT } from './exit.ts';
import { formatBytes, paint, print, printJson } from './output.ts';
import { type CommonOptions, withLurkbox } from './workspace.ts';

type Facts = EngineFacts & { readonly address: string };

interface Note {
  readonly when: (facts: Facts) => boolean;
  readonly say: string;
}

/** Not needed, but better. */
const NOTES: readonly Note[] = [
  { when: ({ apparmor }) => !apparmor, say: 'AppArmor is not active: one wall less around the container.' },
  {
    when: ({ rootless, userns }) => !rootless && !userns,
    say: 'Neither rootless nor user namespaces: uid 65532 in a container is uid 65532 on the host.',
  },
  {
    when: ({ cgroupVersion }) => cgroupVersion === '1',
    say: 'cgroup v1: works; engines are going to drop it.',
  },
  {
    when: ({ address }) => /^(tcp|http):/.test(address),
    say: 'The engine listens on TCP without TLS: whoever reaches that port is root on its host.',
  },
];

export interface DoctorOptions extends CommonOptions {
  readonly attack?: boolean;
}

/** What this engine enforces, and what is missing; and whether it holds, when it is attacked. */
export async function doctor(options: DoctorOptions): Promise<number> {
  return withLurkbox(options, async (lurkbox, progress) => {
    const facts = await lurkbox.engineFacts();
    const checks = ENGINE_REQUIREMENTS.map(({ name, why, met }) => ({ name, why, met: met(facts) }));
    const notes = [...NOTES.filter(({ when }) => when(facts)).map(({ say }) => say), ...facts.warnings];
    const enforces = checks.every(({ met }) => met);
    if (!options.json) show(facts, checks, notes);
    // Where lurkbox runs nothing there is nothing to attack.
    const attacks = options.attack && enforces ? await attack(lurkbox, progress) : null;
    const ok = enforces && (attacks?.ok ?? true);
    if (options.json)
      printJson({ ok, engine: facts, checks, notes, ...(options.attack ? { attack: attacks } : {}) });
    else if (options.attack) showAttacks(attacks);
    return ok ? EXIT.ok : EXIT.failed;
  });
}

function show(
  facts: Facts,
  checks: readonly { name: string; why: string; met: boolean }[],
  notes: readonly string[],
): void {
  const runtimes = Object.keys(facts.runtimes).join(', ');
  print(`Engine ${facts.version} at ${facts.address}, API ${facts.apiVersion}`);
  print(
    `${facts.operatingSystem}, kernel ${facts.kernelVersion}, ${facts.platform.os}/${facts.platform.architecture}`,
  );
  print(
    `${facts.cores} cores, ${formatBytes(facts.memoryBytes)}, ${facts.storageDriver}, cgroup v${facts.cgroupVersion}`,
  );
  print(`Runtimes: ${runtimes} (default ${facts.defaultRuntime})\n`);
  for (const { name, why, met } of checks) {
    print(met ? `${paint('green', '✔')} ${name}` : `${paint('red', '✖')} ${name}: ${why}`);
  }
  for (const note of notes) print(`${paint('yellow', '·')} ${note}`);
  const missing = checks.filter(({ met }) => !met).length;
  print(
    missing === 0
      ? '\nThis engine enforces what lurkbox relies on.'
      : `\n${missing} missing: lurkbox runs nothing here.`,
  );
}
