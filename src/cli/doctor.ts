import { type ConnectedEngineFacts, ENGINE_REQUIREMENTS, type RuntimeCheck } from '../index.ts';
import { escapeControls } from '../printable.ts';
import { attack, exitCodeOfAttacks, showAttacks } from './attack.ts';
import { EXIT } from './exit.ts';
import { formatBytes, paint, print, printJson } from './output.ts';
import { type CommonOptions, withLurkbox } from './workspace.ts';

type Facts = ConnectedEngineFacts;

interface Note {
  readonly when: (facts: Facts) => boolean;
  readonly say: string;
}

/** Not needed, but better. */
const NOTES: readonly Note[] = [
  { when: ({ apparmor }) => !apparmor, say: 'AppArmor is not active: one wall less around the container.' },
  {
    when: ({ rootless, userns }) => !rootless && !userns,
    say: 'Neither rootless nor user namespaces: a uid of a plugin is the same number on the host.',
  },
  {
    when: ({ cgroupVersion }) => cgroupVersion === '1',
    say: 'cgroup v1: works; engines are going to drop it.',
  },
  {
    when: ({ cgroupVersion }) => cgroupVersion === '1',
    say: 'No limit counts the memory of TCP and UDP on cgroup v1 (runc ignores the one that Docker knows): about 85 MB for each container, about 190 MB of netlink by machine code; 96 MB are set aside.',
  },
  {
    when: ({ cgroupVersion }) => cgroupVersion === '2',
    say: 'No limit counts connections that nobody accepted: about 75 MB for each container, about 190 MB of netlink by machine code; 96 MB are set aside.',
  },
  {
    when: ({ connection }) => connection === 'plain TCP',
    say: 'The engine listens on TCP without TLS: whoever reaches that port is root on its host.',
  },
  {
    when: ({ connection }) => connection === 'TLS, unverified',
    say: 'Nothing shows that this is the engine that was meant: its certificate is not verified (`DOCKER_TLS` without `DOCKER_TLS_VERIFY`, or a context that skips it).',
  },
];

export interface DoctorOptions extends CommonOptions {
  readonly attack?: boolean;
}

/** What this engine enforces, and what is missing; and whether it holds, when it is attacked. */
export async function doctor(options: DoctorOptions): Promise<number> {
  return withLurkbox(
    options,
    async (lurkbox, progress) => {
      const facts = await lurkbox.engineFacts();
      const checks = ENGINE_REQUIREMENTS.map(({ name, why, met }) => ({ name, why, met: met(facts) }));
      const runtimes = await lurkbox.checkRuntimes();
      const notes = [...NOTES.filter(({ when }) => when(facts)).map(({ say }) => say), ...facts.warnings];
      const enforces = checks.every(({ met }) => met) && runtimes.every(({ fault }) => fault === null);
      if (!options.json) show(facts, checks, runtimes, notes);
      // Where lurkbox runs nothing there is nothing to attack.
      const attacks = options.attack && enforces ? await attack(lurkbox, progress) : null;
      const ok = enforces && (attacks?.ok ?? true);
      const { env: _, ...engine } = facts;
      if (options.json)
        printJson({
          ok,
          engine,
          checks,
          runtimes,
          notes,
          ...(options.attack ? { attack: attacks } : {}),
        });
      else if (options.attack) showAttacks(attacks);
      if (!enforces) return EXIT.failed;
      return options.attack ? exitCodeOfAttacks(attacks) : EXIT.ok;
    },
    { persist: false },
  );
}

function show(
  facts: Facts,
  checks: readonly { name: string; why: string; met: boolean }[],
  runtimes: readonly RuntimeCheck[],
  notes: readonly string[],
): void {
  // An address is as somebody wrote it.
  print(escapeControls(`Engine ${facts.version} at ${facts.address}, API ${facts.apiVersion}`));
  print(escapeControls(`Chosen by: ${facts.chosenBy}; reached by ${facts.connection}`));
  print(
    `${facts.name === '' ? '' : `${facts.name}: `}${facts.operatingSystem}, kernel ${facts.kernelVersion}, ${facts.platform.os}/${facts.platform.architecture}`,
  );
  print(
    `${facts.cores} cores, ${formatBytes(facts.memoryBytes)}, ${facts.storageDriver}, cgroup v${facts.cgroupVersion}`,
  );
  print(`Runtimes: ${Object.keys(facts.runtimes).join(', ')} (default ${facts.defaultRuntime})\n`);
  for (const { name, why, met } of checks) {
    print(met ? `${paint('green', '✔')} ${name}` : `${paint('red', '✖')} ${name}: ${why}`);
  }
  for (const { runtime, path, fault } of runtimes) {
    const name = `OCI runtime ${runtime}, for \`${path}\` of the policy`;
    print(fault === null ? `${paint('green', '✔')} ${name}` : `${paint('red', '✖')} ${name}: ${fault}`);
  }
  for (const note of notes) print(`${paint('yellow', '·')} ${note}`);
  const missing = checks.filter(({ met }) => !met).length;
  const faulty = runtimes.filter(({ fault }) => fault !== null).length;
  if (missing > 0) print(`\n${missing} missing: lurkbox runs nothing here.`);
  else if (faulty > 0) print(`\nOn ${faulty} of ${runtimes.length} OCI runtimes lurkbox runs nothing.`);
  else print('\nThis engine enforces what lurkbox relies on.');
}
