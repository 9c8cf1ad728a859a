import { IMAGE_PATHS } from '../../src/spec/build.ts';
import { removeImagesOf } from '../../test/helpers/workspace.ts';
import { addFiles, removeImage, runToEnd } from '../loading/containers.ts';
import {
  CACHE_MADE_IN,
  createFiles,
  createSnapshot,
  type Files,
  ROOT,
  TYPESCRIPT_CODE,
} from '../loading/files.ts';
import { createDockerode } from '../peers/dockerode.ts';
import type { Peer } from '../peers/peer.ts';
import type { Subject } from '../peers/subject.ts';
import { MANIFEST } from '../plugin.ts';
import { measureRounds, type Rounds } from '../rounds.ts';
import type { Stage } from '../stage.ts';
import type { CellContext } from './cell.ts';

/** One way to get from an empty container to an answer. */
interface LoadingWay {
  readonly title: string;
  /** What Node is told to run. @default the runner */
  readonly program?: string;
  /** What the runner is told to load. @default the plugin of the image */
  readonly entryPoint?: string;
  readonly cached?: boolean;
  /** It gives no answer, and is measured until it has ended. */
  readonly silent?: boolean;
  readonly image?: 'of a TypeScript plugin';
}

export const LOADING_WAYS = {
  empty: { title: 'an empty program, until it has ended', program: `${ROOT}/empty.cjs`, silent: true },
  'empty-snapshot': {
    title: 'an empty program as a start-up snapshot',
    program: `${ROOT}/empty.blob`,
    silent: true,
  },
  mjs: { title: 'the runner and a small plugin, as lurkbox does it', entryPoint: `${ROOT}/echo.mjs` },
  'mjs-cached': { title: '… with V8’s compile cache', entryPoint: `${ROOT}/echo.mjs`, cached: true },
  'mjs-bundle': { title: '… in one bundle', program: `${ROOT}/echo-bundle.cjs` },
  'ts-by-node': { title: 'the same in TypeScript, stripped by Node', entryPoint: `${ROOT}/echo.ts` },
  ts: {
    title: '… stripped when the image is made, as lurkbox does it',
    entryPoint: `${IMAGE_PATHS.plugin}/index.ts`,
    image: 'of a TypeScript plugin',
  },
  zod: { title: 'a plugin that uses zod, as lurkbox does it', entryPoint: `${ROOT}/zod.mjs` },
  'zod-cached': { title: '… with V8’s compile cache', entryPoint: `${ROOT}/zod.mjs`, cached: true },
  'zod-bundle': { title: '… in one bundle', program: `${ROOT}/zod-bundle.cjs` },
  'zod-bundle-cached': {
    title: '… in one bundle with V8’s compile cache',
    program: `${ROOT}/zod-bundle.cjs`,
    cached: true,
  },
} as const satisfies Record<string, LoadingWay>;
export type LoadingWayId = keyof typeof LOADING_WAYS;

export type LoadingResult = Rounds;

/** What happens in a container before the plugin runs, in different ways, over the plain API of the engine. */
export async function measureLoading({ stage, scale, tell }: CellContext): Promise<LoadingResult> {
  await using images = await createImages(stage);
  const ways = (Object.entries(LOADING_WAYS) as [LoadingWayId, LoadingWay][]).map(([key, way]) => ({
    key,
    peer: toPeer(toSubject(stage.subject, way, images), way),
  }));
  const { rounds } = scale.loading;
  return await measureRounds(ways, { rounds, onRound: (round) => tell(`round ${round} of ${rounds}`) });
}

interface Images extends AsyncDisposable {
  /** Ids. */
  readonly withFiles: string;
  readonly typescript: string;
}

const TYPESCRIPT = 'bench-typescript';
const CACHE = `${ROOT}/cache`;

async function createImages({ subject, workspace, lurkbox }: Stage): Promise<Images> {
  await using stack = new AsyncDisposableStack();
  const extend = async (image: string, files: Files): Promise<string> => {
    const extended = await addFiles(subject.docker, image, below(ROOT, files));
    stack.defer(() => removeImage(subject.docker, extended));
    return extended;
  };
  const snapshot = await createSnapshot(subject.folder, flagsOf(subject));
  const withoutCache = await extend(subject.image, { ...(await createFiles()), 'empty.blob': snapshot });
  const withFiles = await extend(withoutCache, await fillCache({ ...subject, image: withoutCache }));

  const manifest = { ...MANIFEST, entry_point: 'index.ts' };
  await lurkbox.plugins.loadPlugin(
    await workspace.addPlugin(TYPESCRIPT, { manifest, code: TYPESCRIPT_CODE }),
  );
  const { id: typescript } = await lurkbox.plugins.prepare(TYPESCRIPT);
  stack.defer(() => removeImagesOf(lurkbox, TYPESCRIPT));
  const moved = stack.move();
  return { withFiles, typescript, [Symbol.asyncDispose]: () => moved.disposeAsync() };
}

/** Code that was compiled in a container like the ones that are measured: V8 takes it only under equal flags. */
async function fillCache(subject: Subject): Promise<Files> {
  const loads = [
    [`${ROOT}/echo.mjs`, IMAGE_PATHS.runner],
    [`${ROOT}/zod.mjs`, IMAGE_PATHS.runner],
    [`${ROOT}/zod.mjs`, `${ROOT}/zod-bundle.cjs`],
  ];
  const cache: Record<string, Buffer> = {};
  for (const load of loads) {
    const command = [`${ROOT}/fill-cache.cjs`, CACHE_MADE_IN, ...load];
    const { stderr } = await runToEnd(withCommand(subject, command));
    for (const [path, content] of Object.entries<string>(JSON.parse(stderr)))
      cache[`cache/${path}`] = Buffer.from(content, 'base64');
  }
  return cache;
}

function toSubject(subject: Subject, way: LoadingWay, { withFiles, typescript }: Images): Subject {
  const { program = IMAGE_PATHS.runner, entryPoint = subject.entryPoint, image, cached } = way;
  const command = program.endsWith('.blob') ? ['--snapshot-blob', program] : [program];
  const { options, ...rest } = withCommand(subject, command);
  const env = cached ? [...options.Env, `NODE_COMPILE_CACHE=${CACHE}`] : options.Env;
  return {
    ...rest,
    entryPoint,
    image: image === undefined ? withFiles : typescript,
    options: { ...options, Env: env },
  };
}

function toPeer(subject: Subject, { silent }: LoadingWay): Peer {
  return silent ? { id: 'dockerode', call: () => runToEnd(subject) } : createDockerode(subject);
}

function withCommand(subject: Subject, command: readonly string[]): Subject {
  const { options } = subject;
  return {
    ...subject,
    options: { ...options, Entrypoint: [IMAGE_PATHS.node, ...flagsOf(subject), ...command] },
  };
}

/** What Node is told before its program. */
function flagsOf({ options }: Subject): string[] {
  return options.Entrypoint.slice(1, -1);
}

function below(folder: string, files: Files): Files {
  return Object.fromEntries(Object.entries(files).map(([path, content]) => [`${folder}/${path}`, content]));
}
