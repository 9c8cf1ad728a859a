import {
  type AttackGroup,
  all,
  describeEnd,
  findLate,
  heldIf,
  judgeAnswer,
  notHeld,
  type Observation,
  type Program,
  type Verdict,
} from '../attack.ts';

const MARK = 'lurkbox-was-here';
const PORT = 8765;

/** Puts a mark into every place that may outlive an execution, or be seen from the side. */
const leaveMarks = async (
  { mark, port }: { mark: string; port: number },
  host: { progress(fraction: number): void },
): Promise<{ hostname: string }> => {
  const fs = process.getBuiltinModule('node:fs');
  const { createServer } = process.getBuiltinModule('node:net');
  const listen = (at: object): Promise<unknown> =>
    new Promise((resolve) =>
      createServer()
        .once('error', resolve)
        .listen(at, () => resolve(null)),
    );
  const attempt = (act: () => void): void => {
    try {
      act();
    } catch {}
  };
  for (const folder of ['/tmp', '/scratch', '/dev/shm', '/plugin', '/lurkbox', '/var/tmp', '/'])
    attempt(() => fs.writeFileSync(`${folder}/${mark}`, mark));
  process.env['LURKBOX_MARK'] = mark;
  Reflect.set(globalThis, 'lurkboxMark', mark);
  process.title = mark;
  await listen({ host: '127.0.0.1', port });
  await listen({ path: `\0${mark}` });
  host.progress(0);
  return { hostname: fs.readFileSync('/proc/sys/kernel/hostname', 'utf8').trim() };
};

/** The same, and stays. */
const leaveMarksAndStay = async (
  args: { mark: string; port: number },
  host: { progress(fraction: number): void },
): Promise<never> => {
  const fs = process.getBuiltinModule('node:fs');
  const { createServer } = process.getBuiltinModule('node:net');
  const listen = (at: object): Promise<unknown> =>
    new Promise((resolve) =>
      createServer()
        .once('error', resolve)
        .listen(at, () => resolve(null)),
    );
  fs.writeFileSync(`/tmp/${args.mark}`, args.mark);
  await listen({ host: '127.0.0.1', port: args.port });
  await listen({ path: `\0${args.mark}` });
  await listen({ path: `/tmp/${args.mark}.sock` });
  host.progress(0);
  return new Promise(() => {});
};

interface Found {
  readonly marks: readonly string[];
  readonly tmp: readonly string[];
  readonly processes: readonly string[];
  readonly hostname: string;
  readonly connections: Readonly<Record<string, string>>;
}

const lookForMarks = async ({ mark, port }: { mark: string; port: number }): Promise<Found> => {
  const fs = process.getBuiltinModule('node:fs');
  const { connect } = process.getBuiltinModule('node:net');
  const attempt = (at: { port: number; host: string } | { path: string }): Promise<string> =>
    new Promise((resolve) => {
      const socket = connect(at);
      socket.once('connect', () => resolve('connected'));
      socket.once('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message));
    });
  const folders = ['/tmp', '/scratch', '/dev/shm', '/plugin', '/lurkbox', '/var/tmp', '/'];
  const inFolders = folders.filter((folder) => fs.existsSync(`${folder}/${mark}`));
  return {
    marks: [
      ...inFolders,
      ...(process.env['LURKBOX_MARK'] === undefined ? [] : ['the environment']),
      ...(Reflect.has(globalThis, 'lurkboxMark') ? ['a global'] : []),
      ...(process.title === mark ? ['the title of the process'] : []),
    ],
    tmp: fs.readdirSync('/tmp'),
    processes: fs.readdirSync('/proc').filter((name) => /^\d+$/.test(name)),
    hostname: fs.readFileSync('/proc/sys/kernel/hostname', 'utf8').trim(),
    connections: {
      'a port': await attempt({ host: '127.0.0.1', port }),
      'an abstract socket': await attempt({ path: `\0${mark}` }),
      'a socket': await attempt({ path: `/tmp/${mark}.sock` }),
    },
  };
};

const ARGS = { mark: MARK, port: PORT };

export const ISOLATION: AttackGroup = {
  area: 'Other executions',
  attacks: [
    {
      id: 'isolation-next',
      title: 'what one execution left is not there for the next',
      promises: ['P7'],
      attempt: { program: lookForMarks as Program, args: ARGS, before: leaveMarks as Program },
      judge: judgeAnswer((found: Found, seen) => {
        const { outcome, result } = seen.other ?? { outcome: 'INTERNAL', result: null };
        if (seen.other === null || outcome !== 'OK') return missingOther(seen, 'marks that were left');
        return all(
          judgeFound(found),
          heldIf(
            found.hostname !== (result as { hostname?: string }).hostname,
            'another host name',
            found.hostname,
          ),
        );
      }),
    },
    {
      id: 'isolation-beside',
      title: 'what runs beside it is neither seen nor reached',
      promises: ['P7'],
      attempt: { program: lookForMarks as Program, args: ARGS, beside: leaveMarksAndStay as Program },
      judge: judgeAnswer((found: Found, seen) =>
        seen.other?.outcome === 'CANCELLED'
          ? judgeFound(found)
          : missingOther(seen, 'an execution beside it, until it is cancelled'),
      ),
    },
  ],
};

function judgeFound({ marks, tmp, processes, connections }: Found): Verdict {
  const reached = Object.entries(connections).filter(([, code]) => !/^(ECONNREFUSED|ENOENT)$/.test(code));
  return all(
    heldIf(marks.length === 0, 'no mark', marks.join(', ')),
    heldIf(tmp.length === 0, 'an empty /tmp', tmp.join(', ')),
    heldIf(processes.join() === '1', 'no process but its own', processes.join(', ')),
    heldIf(
      reached.length === 0,
      'no connection',
      reached.map(([name, code]) => `${name}: ${code}`).join(', '),
    ),
  );
}

function missingOther(seen: Observation, expected: string): Verdict {
  return (seen.other && findLate(seen.other, seen.here)) ?? notHeld(expected, describeOther(seen));
}

function describeOther({ other }: Observation): string {
  return other === null ? 'nothing' : describeEnd(other);
}
