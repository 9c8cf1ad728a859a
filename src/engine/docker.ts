import type { Duplex, Readable } from 'node:stream';
import type Docker from 'dockerode';
import { LurkboxError } from '../errors.ts';
import type { Allowance } from '../spec/allowance.ts';
import type { ContainerSpec } from '../spec/container-spec.ts';
import { readCgroupUsage } from './cgroup.ts';
import { type EngineAction, withDeadline } from './deadlines.ts';
import type {
  ContainerEngine,
  ContainerExit,
  ContainerSummary,
  ContainerUsage,
  EngineFacts,
  ImageSummary,
} from './engine.ts';
import { toEngineError } from './errors.ts';
import { assertEnforceable, type EngineInfo, toEngineFacts } from './facts.ts';
import { comparePosture } from './posture.ts';
import { toCreateOptions } from './to-create-options.ts';
import { verifyCreateOptions } from './verify.ts';

/** Docker, and whatever speaks its API, behind the interface of lurkbox. Made by `connect.ts`. */
export class DockerEngine implements ContainerEngine {
  readonly address: string;
  readonly #docker: Docker;
  readonly #apiVersion: string;
  #facts: Promise<EngineFacts> | undefined;

  constructor(docker: Docker, address: string, apiVersion: string) {
    this.#docker = docker;
    this.address = address;
    this.#apiVersion = apiVersion;
  }

  facts(): Promise<EngineFacts> {
    this.#facts ??= this.#call('ask the engine what it is', async (abortSignal) => {
      const reply: unknown = await this.#docker.info(withSignal(abortSignal) as never);
      return toEngineFacts(reply as EngineInfo, this.#apiVersion);
    }).catch((error: unknown) => {
      this.#facts = undefined;
      throw error;
    });
    return this.#facts;
  }

  async createContainer(spec: ContainerSpec, allowance: Allowance): Promise<{ id: string }> {
    const facts = await this.facts();
    assertEnforceable(facts, allowance);
    const options = toCreateOptions(spec, facts);
    verifyCreateOptions(options, allowance);
    const id = await this.#call('create a container', async (abortSignal) => {
      const reply = await this.#post('/containers/create', { name: options.name }, options, abortSignal);
      return readCreated(reply);
    });
    try {
      refuseWarnings(id.warnings);
      const inspected = await this.#call('inspect a container', (abortSignal) =>
        this.#docker.getContainer(id.id).inspect({ abortSignal }),
      );
      comparePosture(inspected, options);
    } catch (error) {
      // Whoever called removes it again; this error is the one to tell.
      await this.removeContainer(id.id).catch(() => {});
      throw error;
    }
    return { id: id.id };
  }

  attachContainer(id: string): Promise<Duplex> {
    return this.#call('attach to a container', async (abortSignal) => {
      const socket = await this.#docker
        .getContainer(id)
        .attach({ stream: true, stdin: true, stdout: true, stderr: true, hijack: true, abortSignal });
      return socket as Duplex;
    });
  }

  startContainer(id: string): Promise<void> {
    return this.#call('start a container', async (abortSignal) => {
      await this.#docker.getContainer(id).start({ abortSignal });
    });
  }

  waitContainer(
    id: string,
    { signal, deadlineMs }: { signal: AbortSignal; deadlineMs: number },
  ): Promise<void> {
    const wait = async (deadline: AbortSignal): Promise<void> => {
      await this.#docker.getContainer(id).wait({ abortSignal: AbortSignal.any([deadline, signal]) });
    };
    return this.#call('wait for a container', wait, deadlineMs);
  }

  containerExit(id: string): Promise<ContainerExit> {
    return this.#call('inspect a container', async (abortSignal) => {
      const { State } = await this.#docker.getContainer(id).inspect({ abortSignal });
      // The exit code of a container that is being removed tells of the removal.
      if (State.Status === 'removing' || State.Status === 'dead') {
        throw new LurkboxError(
          'CONTAINER_VANISHED',
          'Somebody else removed the container while it was running.',
        );
      }
      return { exitCode: State.ExitCode, outOfMemory: State.OOMKilled, error: State.Error };
    });
  }

  async containerUsage(id: string): Promise<ContainerUsage> {
    return readCgroupUsage(id, await this.facts());
  }

  async removeContainer(id: string): Promise<void> {
    const container = this.#docker.getContainer(id);
    await this.#call('remove a container', async (abortSignal) => {
      // One call kills and removes; `v` takes anonymous volumes along, should there ever be one.
      await ignoring([404, 409], () => container.remove({ force: true, v: true, abortSignal }));
    });
    // 409: another removal of the same container is under way; this waits for its end.
    await this.#call('remove a container', async (abortSignal) => {
      while (!abortSignal.aborted && (await this.#exists(id, abortSignal))) {
        await ignoring([404], () => container.wait({ condition: 'removed', abortSignal }));
      }
    });
  }

  async #exists(id: string, abortSignal: AbortSignal): Promise<boolean> {
    const found = await ignoring([404], () => this.#docker.getContainer(id).inspect({ abortSignal }));
    return found !== undefined;
  }

  listContainers(label: string): Promise<ContainerSummary[]> {
    return this.#call('list containers', async (abortSignal) => {
      const containers = await this.#docker.listContainers({
        all: true,
        filters: { label: [label] },
        abortSignal,
      });
      return containers.map(({ Id, Names, Labels, State, Created }) => ({
        id: Id,
        names: Names.map((name) => name.replace(/^\//, '')),
        labels: Labels,
        state: State,
        createdAtMs: Created * 1000,
      }));
    });
  }

  createNetwork(name: string, labels: Readonly<Record<string, string>>): Promise<void> {
    return this.#call('create a network', async (abortSignal) => {
      const network = await this.#docker.createNetwork({
        Name: name,
        CheckDuplicate: true,
        Driver: 'bridge',
        Internal: false,
        Attachable: false,
        EnableIPv6: false,
        // The only container on it is the plugin's; nothing else may join the conversation.
        Options: { 'com.docker.network.bridge.enable_icc': 'false' },
        Labels: { ...labels },
        abortSignal,
      });
      const warning = (network as unknown as { Warning?: string }).Warning;
      if (warning)
        throw new LurkboxError('ENGINE_INSECURE', `The engine warned about a network it created: ${warning}`);
    });
  }

  removeNetwork(name: string): Promise<void> {
    return this.#call('remove a network', async (abortSignal) => {
      await ignoring([404], () => this.#docker.getNetwork(name).remove({ abortSignal }));
    });
  }

  listNetworks(label: string): Promise<{ name: string; labels: Readonly<Record<string, string>> }[]> {
    return this.#call('list networks', async (abortSignal) => {
      const networks = await this.#docker.listNetworks({ filters: { label: [label] }, abortSignal });
      return networks.map(({ Name, Labels }) => ({ name: Name, labels: Labels ?? {} }));
    });
  }

  inspectImage(reference: string): Promise<ImageSummary | null> {
    return this.#call('inspect an image', async (abortSignal) => {
      const image = await ignoring([404], () =>
        this.#docker.getImage(reference).inspect(withSignal(abortSignal)),
      );
      if (image === undefined) return null;
      return {
        id: image.Id,
        tags: image.RepoTags ?? [],
        labels: image.Config?.Labels ?? {},
        sizeBytes: image.Size,
        createdAtMs: Date.parse(image.Created) || 0,
      };
    });
  }

  listImages(label: string): Promise<ImageSummary[]> {
    return this.#call('list images', async (abortSignal) => {
      const images = await this.#docker.listImages({ filters: { label: [label] }, abortSignal });
      return images.map(({ Id, RepoTags, Labels, Size, Created }) => ({
        id: Id,
        tags: (RepoTags ?? []).filter((tag) => tag !== '<none>:<none>'),
        labels: Labels ?? {},
        sizeBytes: Size,
        createdAtMs: Created * 1000,
      }));
    });
  }

  loadImage(archive: Readable): Promise<void> {
    return this.#call('load an image', async (abortSignal) => {
      // dockerode types the archive as a file's name too; a stream is what it sends as it is.
      const reply = await this.#docker.loadImage(archive as unknown as string, { abortSignal });
      await readProgress(reply as unknown as Readable);
    });
  }

  exportImage(reference: string): Promise<Readable> {
    return this.#call(
      'export an image',
      async () => (await this.#docker.getImage(reference).get()) as Readable,
    );
  }

  buildImage(
    context: Readable,
    { tag, labels }: { tag: string; labels: Readonly<Record<string, string>> },
  ): Promise<void> {
    return this.#call('build an image', async (abortSignal) => {
      const reply = await this.#docker.buildImage(context, {
        t: tag,
        labels: { ...labels },
        forcerm: true,
        // Nothing in our Dockerfiles needs a network.
        networkmode: 'none',
        abortSignal,
      });
      await readProgress(reply as unknown as Readable);
    });
  }

  removeImage(reference: string): Promise<boolean> {
    return this.#call('remove an image', async (abortSignal) => {
      const removed = await ignoring([404, 409], () =>
        this.#docker.getImage(reference).remove({ abortSignal }),
      );
      return removed !== undefined;
    });
  }

  async #call<T>(
    action: EngineAction,
    call: (signal: AbortSignal) => Promise<T>,
    deadlineMs?: number,
  ): Promise<T> {
    try {
      return await withDeadline(action, call, deadlineMs);
    } catch (error) {
      throw toEngineError(action, this.address, error);
    }
  }

  // dockerode keeps only the id of a create reply, and the warnings in it decide whether the container may run.
  #post(
    path: string,
    query: Record<string, string>,
    body: object,
    abortSignal: AbortSignal,
  ): Promise<unknown> {
    return new Promise((resolve, reject) => {
      this.#docker.modem.dial(
        {
          path: `${path}?`,
          method: 'POST',
          options: { _query: query, _body: body },
          abortSignal,
          statusCodes: { 200: true, 201: true },
        },
        (error: unknown, data: unknown) => (error ? reject(error) : resolve(data)),
      );
    });
  }
}

function readCreated(reply: unknown): { id: string; warnings: readonly string[] } {
  const { Id: id, Warnings: warnings } = (reply ?? {}) as { Id?: unknown; Warnings?: unknown };
  if (typeof id !== 'string') throw new Error('a create reply without an `Id`');
  return { id, warnings: Array.isArray(warnings) ? warnings.map(String) : [] };
}

// A warning of the engine is how it says that a limit was thrown away.
function refuseWarnings(warnings: readonly string[]): void {
  if (warnings.length === 0) return;
  throw new LurkboxError(
    'ENGINE_INSECURE',
    'The engine warned about a container it created; it was removed.',
    {
      problems: warnings.map((message) => ({ path: '', message })),
    },
  );
}

/** dockerode takes the signal everywhere; its types know it only in places. */
function withSignal(abortSignal: AbortSignal): object {
  return { abortSignal };
}

async function ignoring<T>(statusCodes: readonly number[], call: () => Promise<T>): Promise<T | undefined> {
  try {
    return await call();
  } catch (error) {
    const { statusCode } = error as { statusCode?: number };
    if (statusCode !== undefined && statusCodes.includes(statusCode)) return undefined;
    throw error;
  }
}

/** The replies to load and build are JSON objects, one a line; the last one may be an error under status 200. */
async function readProgress(reply: Readable): Promise<void> {
  let text = '';
  for await (const chunk of reply) text = (text + String(chunk)).slice(-64 * 1024);
  const failure = text
    .split('\n')
    .map((line) => /"error":"((?:[^"\\]|\\.)*)"/.exec(line)?.[1])
    .find((message) => message !== undefined);
  if (failure !== undefined)
    throw new LurkboxError('IMAGE_BUILD_FAILED', `The engine refused the image: ${failure}`);
}
