import { once } from 'node:events';
import { readdir, rm, writeFile } from 'node:fs/promises';
import { createServer, request as httpRequest } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { connectEngine } from '../../src/engine/docker/connect.ts';
import type { PluginExecutionResult } from '../../src/index.ts';
import { LABELS } from '../../src/labels.ts';
import { type CliOptions, type RunningCli, runCli, STEERING, startCli } from '../cli/run-cli.ts';
import { createWorkspace, findByLabel, type Workspace } from '../helpers/workspace.ts';

/** Everything that a stranger might send to a terminal: colour, carriage return, clipboard (OSC 52), C1, bidi. */
const HOSTILE = '\u001b[31mred\r\u001b]52;c;aGk=\u0007\u009b2J\u202e end';

const ECHO = 'export const execute = (context) => { console.log("heard"); return context; };';
const SLEEPER = `export const execute = ({ inputData }) => new Promise((resolve) => setTimeout(resolve, inputData.ms ?? 8_000));`;
const SPITTER = `
const HOSTILE = ${JSON.stringify(HOSTILE)};
export const execute = ({ inputData }) => {
  console.log(HOSTILE);
  process.stdout.write(HOSTILE + '\\n');
  process.stderr.write(HOSTILE + '\\n');
  if (!inputData.fail) return { [HOSTILE]: HOSTILE };
  const error = new Error(HOSTILE);
  error.name = HOSTILE;
  throw error;
};`;

/** In the name of every plugin here, so that its images can be told from those of others. */
const PREFIX = 'cli-test-';
const ECHOING = 'cli-test-echo';
const SLEEPING = 'cli-test-sleep';
const SPITTING = 'cli-test-spit';
const BROKEN = 'cli-test-broken';

let workspace: Workspace;

beforeAll(async () => {
  workspace = await createWorkspace();
  await workspace.addPlugin(ECHOING, { code: ECHO });
  await workspace.addPlugin(SLEEPING, { code: SLEEPER });
  await workspace.addPlugin(SPITTING, { code: SPITTER });
  await workspace.addPlugin(BROKEN, { manifest: { version: 'new' } });
});

afterAll(async () => {
  const engine = await connectEngine();
  const images = await engine.listImages(`${LABELS.kind}=image`);
  const tags = images
    .flatMap((image) => image.tags)
    .filter((tag) => tag.startsWith(`lurkbox/plugin-${PREFIX}`));
  for (const tag of tags) await engine.removeImage(tag);
  await workspace[Symbol.asyncDispose]();
});

function lurkbox(args: readonly string[], options: CliOptions = {}) {
  return runCli(args, { cwd: workspace.root, ...options });
}

async function runJson(args: readonly string[], options: CliOptions = {}) {
  const { exitCode, stdout, stderr } = await lurkbox(['run', '--json', ...args], options);
  const { results, ...rest } = JSON.parse(stdout) as { results: Record<string, PluginExecutionResult> };
  expect(rest).toEqual({});
  return { exitCode, stdout, stderr, results };
}

async function containersOf(plugin: string): Promise<string[]> {
  return (await findByLabel(`${LABELS.plugin}=${plugin}`)).containers;
}

async function imagesOf(plugin: string): Promise<string[]> {
  const images = await (await connectEngine()).listImages(`${LABELS.plugin}=${plugin}`);
  return images.flatMap(({ tags }) => tags);
}

async function untilContainerRuns(plugin: string, run: RunningCli): Promise<void> {
  const engine = await connectEngine();
  while (run.process.exitCode === null) {
    const containers = await engine.listContainers(`${LABELS.plugin}=${plugin}`);
    if (containers.some(({ state }) => state === 'running')) return;
    await delay(50);
  }
}

/** Files below the `.lurkbox` of a workspace; its folders may stay. */
async function filesKeptIn(root: string): Promise<string[]> {
  const entries = await readdir(join(root, '.lurkbox/tmp'), { recursive: true, withFileTypes: true }).catch(
    () => [],
  );
  return entries.filter((entry) => !entry.isDirectory()).map(({ name }) => name);
}

describe('run', () => {
  test('executes a plugin of the workspace by its name and shows result, log lines and phases', async () => {
    const { exitCode, stdout } = await lurkbox(['run', ECHOING, '--input', '{"place":"Graz"}']);
    expect(exitCode).toBe(0);
    expect(stdout).toMatch(new RegExp(`^✔ ${ECHOING} 1\\.0\\.0 OK\n {2}\\{`));
    expect(stdout).toContain('"place": "Graz"');
    expect(stdout).toContain('\n  info: heard\n');
    expect(stdout).toMatch(
      /\nplugin +outcome +total +queue +create +start +boot +run +teardown +peak memory +CPU\n/,
    );
    expect(stdout).toMatch(
      new RegExp(`\n${ECHOING} +OK( +[\\d.]+ (ms|s)){7} +[\\d.]+ MB +[\\d.]+ (ms|s)\n$`),
    );
  });

  test('executes a plugin of any folder by its path', async () => {
    const folder = `./plugins/${ECHOING}`;
    const { exitCode, results } = await runJson([folder, '--workspace', join(workspace.root, 'elsewhere')]);
    expect({ exitCode, names: Object.keys(results) }).toEqual({ exitCode: 0, names: [ECHOING] });
  });

  test('executes several plugins on one context, and exits with 1 when one fails', async () => {
    const { exitCode, results } = await runJson([ECHOING, SPITTING, '--input', '{"fail":true}']);
    expect(exitCode).toBe(1);
    expect(results[ECHOING]).toMatchObject({ outcome: 'OK', result: { inputData: { fail: true } } });
    expect(results[SPITTING]).toMatchObject({ outcome: 'PLUGIN_ERROR', success: false });
  });

  test('--json prints one document whose results have every field', async () => {
    const { stdout, stderr, results } = await runJson([ECHOING]);
    expect(stdout.match(/\n/g)).toHaveLength(1);
    expect(stderr).toBe('');
    expect(results[ECHOING]).toEqual({
      executionId: expect.stringMatching(/^[0-9a-f-]{36}$/),
      plugin: ECHOING,
      version: '1.0.0',
      digest: expect.stringMatching(/^sha256:[0-9a-f]{64}$/),
      outcome: 'OK',
      success: true,
      result: expect.objectContaining({ inputData: {}, userId: null }),
      error: null,
      executionTimeMs: expect.any(Number),
      phases: {
        queueMs: expect.any(Number),
        createMs: expect.any(Number),
        startMs: expect.any(Number),
        bootMs: expect.any(Number),
        runMs: expect.any(Number),
        teardownMs: expect.any(Number),
      },
      usage: { peakMemoryBytes: expect.any(Number), cpuTimeMs: expect.any(Number) },
      logs: [{ level: 'info', source: 'console', message: 'heard' }],
      warnings: [],
      metadata: {
        sandbox: 'cold',
        sandboxId: expect.any(String),
        containerId: expect.any(String),
      },
    });
  });

  test("--prompt prints the block for an agent's prompt", async () => {
    const { exitCode, stdout } = await lurkbox([
      'run',
      SPITTING,
      ECHOING,
      '--prompt',
      '--input',
      '{"fail":true}',
    ]);
    expect(exitCode).toBe(1);
    const lines = stdout.split('\n');
    expect(lines[0]).toBe('=== Plugin Execution Results ===');
    expect(lines).toContain(`[${ECHOING}]`);
    expect(lines.filter((line) => line.startsWith('Status: '))).toEqual([
      'Status: Failed',
      'Status: Success',
    ]);
    expect(stdout).toContain('"inputData": {"fail": true}');
  });

  test('reads the context from a file, in either spelling, and lets --input replace its input', async () => {
    const file = join(workspace.root, 'context.json');
    await writeFile(file, '{ "user_id": "ada", "channelId": "slack", "inputData": { "a": 1 } }');
    const { results } = await runJson([ECHOING, '--context', file]);
    expect(results[ECHOING]?.result).toMatchObject({
      userId: 'ada',
      channelId: 'slack',
      inputData: { a: 1 },
    });
    const replaced = await runJson([ECHOING, '--context', file, '--input', '[2]']);
    expect(replaced.results[ECHOING]?.result).toMatchObject({ userId: 'ada', inputData: [2] });
  });

  test('reads the context from stdin', async () => {
    const { results } = await runJson([ECHOING, '--context', '-'], { stdin: '{ "sessionId": "s1" }' });
    expect(results[ECHOING]?.result).toMatchObject({ sessionId: 's1' });
  });

  test('ends a plugin at a shorter deadline', async () => {
    const { exitCode, results } = await runJson([SLEEPING, '--timeout', '0.4']);
    expect({ exitCode, outcome: results[SLEEPING]?.outcome }).toEqual({ exitCode: 1, outcome: 'TIMEOUT' });
    expect(await containersOf(SLEEPING)).toEqual([]);
  });

  test('leaves only its images behind', async () => {
    await lurkbox(['run', ECHOING]);
    expect(await containersOf(ECHOING)).toEqual([]);
    expect(await filesKeptIn(workspace.root)).toEqual([]);
  });

  test('ends quietly when the reader of its output leaves', async () => {
    // More than a pipe holds.
    const stdin = JSON.stringify({ inputData: 'x'.repeat(500_000) });
    const run = startCli(['run', ECHOING, '--json', '--context', '-'], { cwd: workspace.root, stdin });
    run.process.stdout?.once('data', () => run.process.stdout?.destroy());
    const { stderr } = await run.end;
    expect(stderr).toBe('');
    expect(await containersOf(ECHOING)).toEqual([]);
  });
});

describe('what a plugin prints cannot steer a terminal', () => {
  test.each([[[]], [['--json']], [['--prompt']]])('with the options %j', async (options) => {
    for (const input of ['{}', '{"fail":true}']) {
      const { stdout, stderr } = await lurkbox(['run', SPITTING, ...options, '--input', input]);
      expect(stdout).toContain('red');
      expect(stdout).not.toMatch(STEERING);
      expect(stderr).not.toMatch(STEERING);
    }
  });

  test('and --json still passes on what the plugin said', async () => {
    const { results } = await runJson([SPITTING]);
    expect(results[SPITTING]?.result).toEqual({ [HOSTILE]: HOSTILE });
    expect(results[SPITTING]?.logs.map(({ message }) => message)).toContain(HOSTILE);
  });
});

describe('bad input exits with 2 and creates nothing', () => {
  let clean: Workspace;

  beforeEach(async () => {
    clean = await createWorkspace();
    return () => clean[Symbol.asyncDispose]();
  });

  async function expectNothingMade(
    plugins: readonly string[],
    args: readonly string[],
    words: readonly string[],
  ) {
    const { exitCode, stdout, stderr } = await runCli(['run', ...args], { cwd: clean.root });
    expect({ exitCode, stdout }).toEqual({ exitCode: 2, stdout: '' });
    for (const word of words) expect(stderr).toContain(word);
    for (const plugin of plugins) {
      expect(await containersOf(plugin)).toEqual([]);
      expect(await imagesOf(plugin)).toEqual([]);
    }
    expect(await filesKeptIn(clean.root)).toEqual([]);
  }

  test('a dependency that does not exist', async () => {
    const name = 'cli-test-dependent';
    const dependency = 'lurkbox-has-no-such-dependency';
    await clean.addPlugin(name, { manifest: { dependencies: [`${dependency}@^1.0.0`] } });
    await expectNothingMade([name], [name], [dependency, '`dependencies`']);
  });

  test('an unknown key of the context', async () => {
    const name = 'cli-test-context';
    await clean.addPlugin(name);
    await writeFile(join(clean.root, 'context.json'), '{ "inputs": {} }');
    await expectNothingMade([name], [name, '--context', 'context.json'], ['inputs', 'inputData']);
  });

  test('a timeout above the grant of one of two plugins, before the other one starts', async () => {
    const [patient, hurried] = ['cli-test-patient', 'cli-test-hurried'] as const;
    await clean.addPlugin(patient, { code: SLEEPER });
    await clean.addPlugin(hurried, { manifest: { resources: { memory_mb: 96, timeout_seconds: 1 } } });
    await expectNothingMade(
      [patient, hurried],
      [patient, hurried, '--timeout', '5'],
      ['1 s', '5 s', hurried],
    );
  });

  test('one broken plugin among several', async () => {
    const name = 'cli-test-neighbour';
    await clean.addPlugin(name);
    await clean.addPlugin(BROKEN, { manifest: { version: 'new' } });
    await expectNothingMade([name, BROKEN], [name, BROKEN], ['`version`']);
  });
});

describe('a signal', () => {
  test.each([['SIGINT'], ['SIGTERM']] as const)(
    '%s during a run cancels it and removes the container',
    async (signal) => {
      const run = startCli(['run', SLEEPING, '--json'], { cwd: workspace.root });
      await untilContainerRuns(SLEEPING, run);
      const signalledAt = performance.now();
      run.process.kill(signal);
      const { exitCode, stdout, stderr } = await run.end;
      // Far from the end of the plugin's own sleep.
      expect(performance.now() - signalledAt).toBeLessThan(5_000);
      expect(exitCode).toBe(1);
      expect(JSON.parse(stdout).results[SLEEPING]).toMatchObject({ outcome: 'CANCELLED' });
      expect(stderr.match(/cancelling/g)).toHaveLength(1);
      expect(await containersOf(SLEEPING)).toEqual([]);
    },
  );

  test('while an image is built stops the build with exit code 1', async () => {
    await using other = await createWorkspace();
    const name = 'cli-test-interrupted';
    await other.addPlugin(name, { manifest: { dependencies: ['lodash@^4.0.0'] } });
    const run = startCli(['run', name], { cwd: other.root });
    const { promise: building, resolve } = Promise.withResolvers<void>();
    run.process.stderr?.on('data', (chunk) => String(chunk).includes('Installing') && resolve());
    await Promise.race([building, run.end]);
    run.process.kill('SIGINT');
    const { exitCode } = await run.end;
    expect(exitCode).toBe(1);
    expect(await imagesOf(name)).toEqual([]);
    expect(await filesKeptIn(other.root)).toEqual([]);
  });
});

describe('explain --json', () => {
  test('shows the Docker options that an execution sends', async () => {
    const { exitCode, stdout, stderr } = await lurkbox(['explain', ECHOING, '--json']);
    expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: '' });
    const explained = JSON.parse(stdout);
    expect(Object.keys(explained)).toEqual([
      'name',
      'version',
      'digest',
      'lock',
      'rating',
      'grant',
      'restrictions',
      'dockerOptions',
      'warnings',
    ]);
    expect(explained.dockerOptions).toMatchObject({
      User: expect.stringMatching(/^([45]\d{4}):\1$/),
      NetworkDisabled: true,
      HostConfig: { ReadonlyRootfs: true, CapDrop: ['ALL'], NetworkMode: 'none', Memory: 96 * 1024 * 1024 },
    });
    expect(explained.restrictions[0]).toEqual({
      control: expect.any(String),
      value: expect.any(String),
      reason: expect.any(String),
      origin: expect.stringMatching(/^(baseline|policy|manifest)$/),
    });
  });
});

describe('doctor', () => {
  test('says which engine it is and that it enforces everything', async () => {
    const { exitCode, stdout, stderr } = await lurkbox(['doctor']);
    expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: '' });
    expect(stdout).toMatch(/^Engine \S+ at \S+, API 1\.\d+\n/);
    expect(stdout).toMatch(/^✔ seccomp$/m);
    expect(stdout).toMatch(/\nThis engine enforces what lurkbox relies on\.\n$/);
    expect(stdout).not.toMatch(STEERING);
  });

  test('--json prints facts, checks and notes', async () => {
    const { ok, engine, checks, runtimes, notes, ...rest } = JSON.parse(
      (await lurkbox(['doctor', '--json'])).stdout,
    );
    expect({ ok, rest }).toEqual({ ok: true, rest: {} });
    expect(engine).toMatchObject({
      seccomp: true,
      address: expect.stringMatching(/^(unix|tcp|http|https):/),
    });
    expect(checks).toContainEqual({ name: 'memory limit', why: expect.any(String), met: true });
    expect(runtimes).toEqual([{ path: 'oci_runtime', runtime: engine.defaultRuntime, fault: null }]);
    expect(notes).toEqual(expect.arrayContaining([]));
  });
});

describe('image', () => {
  test('build creates the image of a named plugin once', async () => {
    await using other = await createWorkspace();
    const name = 'cli-test-built';
    await other.addPlugin(name);
    const build = async () => {
      const { exitCode, stdout } = await runCli(['image', 'build', name, '--json'], { cwd: other.root });
      expect(exitCode).toBe(0);
      return JSON.parse(stdout).images;
    };
    const [base, image, ...others] = await build();
    expect(others).toEqual([]);
    expect(base).toMatchObject({ name: 'base', built: false, id: expect.stringMatching(/^sha256:/) });
    expect(image).toMatchObject({
      name,
      built: true,
      tag: expect.stringContaining(`lurkbox/plugin-${name}:`),
    });
    expect((await build())[1]).toEqual({ ...image, built: false });
    const { stdout } = await runCli(['image', 'build', `./plugins/${name}`], { cwd: other.root });
    expect(stdout).toMatch(new RegExp(`^present +${image.tag} +${image.id}$`, 'm'));
  });

  test('build without names creates those of the workspace, and says which it skipped', async () => {
    await using other = await createWorkspace();
    const name = 'cli-test-all';
    await other.addPlugin(name);
    await other.addPlugin(BROKEN, { manifest: { version: 'new' } });
    const { exitCode, stdout, stderr } = await runCli(['image', 'build'], { cwd: other.root });
    expect(exitCode).toBe(2);
    expect(stdout).toContain(`lurkbox/plugin-${name}:`);
    expect(stderr).toMatch(new RegExp(`^lurkbox: skipped "${other.root}/plugins/${BROKEN}": `, 'm'));
  });

  test('list shows the base and each plugin with its total size and its own size', async () => {
    await lurkbox(['image', 'build', ECHOING]);
    const { exitCode, stdout } = await lurkbox(['image', 'list']);
    expect(exitCode).toBe(0);
    expect(stdout).toMatch(/^image +role +plugin +size +of its own$/m);
    expect(stdout).toMatch(/^lurkbox\/base:[0-9a-f]{64} +base +[\d.]+ MB +[\d.]+ MB$/m);
    const row = `lurkbox/plugin-${ECHOING}:[0-9a-f]{64} +plugin +${ECHOING} 1\\.0\\.0 +[\\d.]+ MB +\\d+ kB`;
    expect(stdout).toMatch(new RegExp(`^${row}$`, 'm'));
    const { images } = JSON.parse((await lurkbox(['image', 'list', '--json'])).stdout);
    expect(images.find(({ plugin }: { plugin: string | null }) => plugin === ECHOING)).toMatchObject({
      role: 'plugin',
      version: '1.0.0',
    });
  });

  test('prune keeps what this workspace and others need, and with --all lists everything and removes it after a yes', async () => {
    await using other = await createWorkspace();
    await using neighbour = await createWorkspace();
    await using view = await serveEngineView('lurkbox/plugin-cli-test-prune-');
    // Its own records of who needs what: those of earlier runs name workspaces that are gone.
    const env = { DOCKER_HOST: view.url, XDG_STATE_HOME: join(other.root, 'state') };
    const options = { cwd: other.root, env };
    const prune = (...args: string[]) => runCli(['image', 'prune', ...args], options);
    await other.addPlugin('cli-test-prune-kept');
    const gone = await other.addPlugin('cli-test-prune-gone');
    const shared = await other.addPlugin('cli-test-prune-shared');
    for (const name of ['shared', 'theirs']) await neighbour.addPlugin(`cli-test-prune-${name}`);
    await runCli(['image', 'build'], options);
    await runCli(['image', 'build'], { cwd: neighbour.root, env });
    for (const folder of [gone, shared]) await rm(folder, { recursive: true });
    const pruned = await prune('--json');
    expect(pruned).toMatchObject({ exitCode: 0, stderr: '' });
    const left = (name: string) => ({
      tag: expect.stringContaining(`cli-test-prune-${name}:`),
      workspaces: [neighbour.root],
    });
    expect(JSON.parse(pruned.stdout)).toEqual({
      removed: [expect.stringMatching(/^lurkbox\/plugin-cli-test-prune-gone:/)],
      freedBytes: expect.any(Number),
      left: [left('shared'), left('theirs')],
      gone: [],
    });
    expect(await prune()).toMatchObject({
      exitCode: 0,
      stdout: `Nothing to remove.\nLeft for other workspaces, "${neighbour.root}": 2 images.\n\`--all\` lists and removes these too.\n`,
    });
    const asked = await prune('--all');
    expect(asked.exitCode).toBe(1);
    expect(asked.stdout).toMatch(
      new RegExp(`^lurkbox/plugin-cli-test-prune-shared:.* "${neighbour.root}"$`, 'm'),
    );
    expect(asked.stdout).toMatch(/^Nothing is removed\. .* --all --yes` removes them/m);
    for (const name of ['kept', 'shared', 'theirs'])
      expect(await imagesOf(`cli-test-prune-${name}`)).toHaveLength(1);
    const { stdout } = await prune('--all', '--yes');
    expect(stdout).toMatch(/^Removed lurkbox\/plugin-cli-test-prune-kept:[0-9a-f]{64}, .*: \S+ \S+\.\n$/);
    for (const name of ['kept', 'shared', 'theirs'])
      expect(await imagesOf(`cli-test-prune-${name}`)).toEqual([]);
  });
});

/** The engine, with only some images in its list: a prune must not reach those of tests that run beside this one. */
async function serveEngineView(tagPrefix: string): Promise<{ url: string } & AsyncDisposable> {
  const { protocol, pathname, hostname, port } = new URL((await connectEngine()).endpoint.url);
  const engine = protocol === 'unix:' ? { socketPath: pathname } : { host: hostname, port };
  const server = createServer((request, response) => {
    const { url = '', method, headers } = request;
    const forwarded = httpRequest({ ...engine, path: url, method, headers }, async (reply) => {
      response.writeHead(reply.statusCode ?? 500, { 'content-type': reply.headers['content-type'] });
      if (!/\/images\/json/.test(url)) return reply.pipe(response);
      const images = JSON.parse(await text(reply)) as { RepoTags: string[] | null }[];
      const shown = images.filter(({ RepoTags }) => RepoTags?.some((tag) => tag.startsWith(tagPrefix)));
      return response.end(JSON.stringify(shown));
    });
    request.pipe(forwarded);
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      await once(server.close(), 'close');
    },
  };
}

describe('prune', () => {
  test('removes what a killed process left', async () => {
    const run = startCli(['run', SLEEPING], { cwd: workspace.root });
    await untilContainerRuns(SLEEPING, run);
    run.process.kill('SIGKILL');
    await run.end;
    // Whoever connects to the engine prunes too, so another test can have been first.
    const { exitCode, stdout } = await lurkbox(['prune']);
    expect(exitCode).toBe(0);
    expect(stdout).toMatch(/^(Removed lurkbox-[0-9a-f-]{36}.*|Nothing was left behind)\.\n$/);
    expect(await containersOf(SLEEPING)).toEqual([]);
  });

  test('leaves everything of a living process alone', async () => {
    const run = startCli(['run', SLEEPING, '--json', '--input', '{"ms":3000}'], { cwd: workspace.root });
    await untilContainerRuns(SLEEPING, run);
    const { exitCode, stdout } = await lurkbox(['prune', '--json']);
    expect(exitCode).toBe(0);
    expect(JSON.parse(stdout)).toEqual({ containers: expect.any(Array), networks: expect.any(Array) });
    expect(JSON.parse((await run.end).stdout).results[SLEEPING]).toMatchObject({ outcome: 'OK' });
  });
});
