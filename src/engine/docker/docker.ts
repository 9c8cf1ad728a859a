import { Socket } from 'node:net';
import type { Duplex, Readable } from 'node:stream';
import type Docker from 'dockerode';
import { LurkboxError } from '../../errors.ts';
import type { ContainerAllowance } from '../../spec/allowance.ts';
import type { ContainerSpec } from '../../spec/container-spec.ts';
import { type EngineAction, withDeadline } from '../deadlines.ts';
import type {
  ContainerEngine,
  ContainerExit,
  ContainerStreams,
  ContainerSummary,
  ContainerUsage,
  EngineEndpoint,
  EngineFacts,
  ImageDetails,
  ImageSummary,
  NetworkSummary,
} from '../engine.ts';
import { assertEnforceable } from '../facts.ts';
import { verifyCreateBody } from '../verify.ts';
import { notAnEngine } from './answers.ts';
import {
  exists,
  ignoring,
  listContainers,
  post,
  readCreated,
  readEnd,
  refuseWarnings,
  withSignal,
} from './calls.ts';
import { killCgroup, readCgroupUsage } from './cgroup.ts';
import { nameOf } from './endpoint.ts';
import { quote, toEngineError } from './errors.ts';
import { buildImage, exportImage, inspectImage, listImages, loadImage, removeImage } from './images.ts';
import { type EngineInfo, toEngineFacts } from './info.ts';
import type { Link } from './link.ts';
import { createNetwork, listNetworks, removeNetwork } from './networks.ts';
import { comparePosture } from './posture.ts';
import { openStreams } from './streams.ts';
import { type DockerCreateOptions, toCreateOptions } from './to-create-options.ts';

/** A removal takes a tenth of that, on a busy host all of it; and what is being removed may be killed at any time. */
const STUCK_MS = 1_000;
/** What an engine is can change when it is restarted, which not every restart lets us see. */
const FACTS_AGE_MS = 10_000;

/** Docker, and whatever speaks its API, behind the interface of lurkbox. Made by `connect.ts`. */
export class DockerEngine implements ContainerEngine {
  readonly endpoint: EngineEndpoint;
  readonly #connect: () => Promise<Link>;
  /** Forgotten when the engine goes away: another one may come back at the same address. */
  #link: Promise<Link> | undefined;
  #facts: { readonly askedAtMs: number; readonly answer: Promise<EngineFacts> } | undefined;
  #lastFacts: EngineFacts | undefined;

  constructor(endpoint: EngineEndpoint, link: Link, connect: () => Promise<Link>) {
    this.endpoint = endpoint;
    this.#link = Promise.resolve(link);
    this.#connect = connect;
  }

  facts(): Promise<EngineFacts> {
    const known = this.#facts;
    if (known !== undefined && performance.now() - known.askedAtMs < FACTS_AGE_MS) return known.answer;
    const asked = { askedAtMs: performance.now(), answer: this.#askForFacts() };
    this.#facts = asked;
    asked.answer.catch(() => {
      if (this.#facts === asked) this.#facts = undefined;
    });
    return asked.answer;
  }

  #askForFacts(): Promise<EngineFacts> {
    return this.#call('ask the engine what it is', async ({ docker, apiVersion }, abortSignal) => {
      const reply: unknown = await docker.info(withSignal(abortSignal) as never);
      this.#lastFacts = toEngineFacts(reply as EngineInfo, apiVersion);
      return this.#lastFacts;
    });
  }

  async createContainer(spec: ContainerSpec, allowance: ContainerAllowance): Promise<{ id: string }> {
    const { options, body } = await this.#toVerified(spec, allowance);
    const { id, warnings } = await this.#call('create a container', async ({ docker }, abortSignal) => {
      const query = { name: allowance.name };
      return readCreated(await post(docker, { path: '/containers/create', query, body, abortSignal }));
    });
    const inspected = await this.#inspect(id);
    try {
      refuseWarnings(warnings);
      comparePosture(inspected, options);
    } catch (error) {
      // The caller removes the container; this error is the one to report.
      await this.removeContainer(id).catch(() => {});
      throw error;
    }
    return { id };
  }

  async #toVerified(
    spec: ContainerSpec,
    allowance: ContainerAllowance,
  ): Promise<{ options: DockerCreateOptions; body: string }> {
    const facts = await this.facts();
    assertEnforceable(facts, allowance);
    const options = toCreateOptions(spec, facts);
    // The last look sees the very text that is sent.
    const body = JSON.stringify(options);
    verifyCreateBody(body, allowance, facts);
    return { options, body };
  }

  #inspect(id: string): Promise<Docker.ContainerInspectInfo> {
    return this.#call('inspect a container', ({ docker }, abortSignal) =>
      docker.getContainer(id).inspect({ abortSignal }),
    );
  }

  attachContainer(id: string): Promise<ContainerStreams> {
    return this.#call('attach to a container', async ({ docker }, abortSignal) => {
      const socket = (await docker.getContainer(id).attach({
        stream: true,
        stdin: true,
        stdout: true,
        stderr: true,
        hijack: true,
        abortSignal,
      })) as Duplex;
      if (socket instanceof Socket) return openStreams(socket);
      socket.destroy();
      throw notAnEngine('something that is no stream');
    });
  }

  async startContainer(id: string): Promise<void> {
    try {
      await this.#call('start a container', async ({ docker }, abortSignal) => {
        await docker.getContainer(id).start({ abortSignal });
      });
    } catch (error) {
      throw await this.#namingRuntime(id, error as LurkboxError);
    }
  }

  /** Where the runtime refused, the engine tells what it said, and not which it was. */
  async #namingRuntime(id: string, error: LurkboxError): Promise<LurkboxError> {
    if (error.code !== 'RUNTIME_UNAVAILABLE' && error.code !== 'ENGINE_INSECURE') return error;
    const container = await this.#inspect(id).catch(() => null);
    const name = container?.HostConfig.Runtime ?? 'unknown';
    return new LurkboxError(error.code, `${error.message} The runtime is \`${name}\`.`, {
      cause: error.cause,
    });
  }

  waitContainer(
    id: string,
    { signal, deadlineMs }: { signal: AbortSignal; deadlineMs: number },
  ): Promise<void> {
    const wait = async ({ docker }: Link, deadline: AbortSignal): Promise<void> => {
      await docker.getContainer(id).wait({ abortSignal: AbortSignal.any([deadline, signal]) });
    };
    return this.#call('wait for a container', wait, deadlineMs);
  }

  containerExit(id: string, { isInDoubt = false } = {}): Promise<ContainerExit> {
    return this.#call('inspect a container', async ({ docker }, abortSignal) => {
      const { State } = await docker.getContainer(id).inspect({ abortSignal });
      // The exit code of a container that is being removed tells of the removal.
      if (State.Status === 'removing' || State.Status === 'dead') {
        throw new LurkboxError(
          'CONTAINER_VANISHED',
          'Somebody else removed the container while it was running. Leave what carries the label `lurkbox.kind` alone.',
        );
      }
      return {
        exitCode: State.ExitCode,
        ...(await readEnd(docker, id, State, { isInDoubt, abortSignal })),
        error: quote(String(State.Error ?? '')),
      };
    });
  }

  /** Of what is known: an execution that ends does not wait for an engine that hangs. */
  async containerUsage(id: string): Promise<ContainerUsage> {
    if (this.#lastFacts === undefined) return { peakMemoryBytes: null, cpuTimeMs: null };
    return readCgroupUsage(id, this.#lastFacts);
  }

  async removeContainer(id: string): Promise<void> {
    const stuck = setTimeout(() => void this.#killThreads(id), STUCK_MS);
    try {
      await this.#remove(id);
    } finally {
      clearTimeout(stuck);
    }
  }

  /** For a container that the runtime cannot kill. */
  async #killThreads(id: string): Promise<void> {
    try {
      const facts = await this.facts();
      await this.#call('inspect a container', async ({ docker }, abortSignal) => {
        const { Id } = await docker.getContainer(id).inspect({ abortSignal });
        await killCgroup(Id, facts);
      });
    } catch {
      // It is gone, or the removal itself will tell.
    }
  }

  async #remove(id: string): Promise<void> {
    await this.#call('remove a container', async ({ docker }, abortSignal) => {
      const container = docker.getContainer(id);
      // One call kills and removes; `v` takes anonymous volumes along, should there ever be one.
      await ignoring([404, 409], () => container.remove({ force: true, v: true, abortSignal }));
    });
    // 409: another removal of the same container is under way; this waits for its end.
    await this.#call('remove a container', async ({ docker }, abortSignal) => {
      const container = docker.getContainer(id);
      if (!(await exists(container, abortSignal))) return;
      await ignoring([404], () => container.wait({ condition: 'removed', abortSignal }));
      if (await exists(container, abortSignal))
        throw new Error('the removal ended, the container is still there');
    });
  }

  listContainers(label: string): Promise<ContainerSummary[]> {
    return this.#call('list containers', ({ docker }, signal) => listContainers(docker, label, signal));
  }

  createNetwork(name: string, labels: Readonly<Record<string, string>>): Promise<void> {
    return this.#call('create a network', ({ docker }, signal) =>
      createNetwork(docker, name, labels, signal),
    );
  }

  removeNetwork(name: string): Promise<void> {
    return this.#call('remove a network', ({ docker }, signal) => removeNetwork(docker, name, signal));
  }

  listNetworks(label: string): Promise<NetworkSummary[]> {
    return this.#call('list networks', ({ docker }, signal) => listNetworks(docker, label, signal));
  }

  inspectImage(reference: string): Promise<ImageDetails | null> {
    return this.#call('inspect an image', ({ docker }, signal) => inspectImage(docker, reference, signal));
  }

  listImages(label: string): Promise<ImageSummary[]> {
    return this.#call('list images', ({ docker }, signal) => listImages(docker, label, signal));
  }

  loadImage(archive: Readable): Promise<void> {
    return this.#call('load an image', ({ docker }, signal) => loadImage(docker, archive, signal));
  }

  exportImage(reference: string): Promise<Readable> {
    return this.#call('export an image', ({ docker }, signal) => exportImage(docker, reference, signal));
  }

  buildImage(
    context: Readable,
    options: { tag: string; labels: Readonly<Record<string, string>> },
  ): Promise<string> {
    return this.#call('build an image', ({ docker }, signal) => buildImage(docker, context, options, signal));
  }

  removeImage(reference: string): Promise<boolean> {
    return this.#call('remove an image', ({ docker }, signal) => removeImage(docker, reference, signal));
  }

  async #call<T>(
    action: EngineAction,
    call: (link: Link, signal: AbortSignal) => Promise<T>,
    deadlineMs?: number,
  ): Promise<T> {
    try {
      const link = await this.#linked();
      return await withDeadline(action, (signal) => call(link, signal), deadlineMs);
    } catch (error) {
      const failure = toEngineError(action, nameOf(this.endpoint), error);
      if (failure.code === 'ENGINE_LOST' || failure.code === 'ENGINE_UNAVAILABLE') this.#forget();
      throw failure;
    }
  }

  #linked(): Promise<Link> {
    this.#link ??= this.#connect().catch((error: unknown) => {
      this.#link = undefined;
      throw error;
    });
    return this.#link;
  }

  #forget(): void {
    this.#link = undefined;
    this.#facts = undefined;
  }
}
