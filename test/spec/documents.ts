import fc from 'fast-check';

/** Documents as people write them, before anybody looked at them: mostly right, and now and then not. */

const rarely = <T>(usual: fc.Arbitrary<T>, odd: fc.Arbitrary<unknown>): fc.Arbitrary<unknown> =>
  fc.oneof({ weight: 200, arbitrary: usual as fc.Arbitrary<unknown> }, odd);

const anyOddity = fc.oneof(
  fc.constantFrom(null, '', '512', true, -1, 0, 0.5, 1e18, Number.MAX_SAFE_INTEGER, [], {}, 'host', ['ALL']),
  fc.jsonValue(),
);

/** Around a number that decides something, most of the time. */
const around = (...places: number[]): fc.Arbitrary<unknown> =>
  rarely(
    fc
      .tuple(fc.constantFrom(...places), fc.constantFrom(-1, 0, 0, 0, 0, 0, 1, 7))
      .map(([place, by]) => Math.max(1, place + by)),
    anyOddity,
  );

const NUMBERS = {
  memory_mb: around(64, 96, 128, 512, 1024, 2048),
  cpu_percent: around(5, 50, 80, 100, 250),
  timeout_seconds: rarely(fc.constantFrom(0.05, 0.1, 0.25, 1.5, 10, 30, 119.999, 120, 121, 600), anyOddity),
  pids: around(16, 64, 128, 256),
  output_kb: around(4, 1024, 16_384),
  tmp_mb: around(1, 16, 32, 64, 256),
  scratch_mb: around(1, 16, 128, 512),
};

// With all of them at once hardly anything would ever fit.
const anyResources = fc
  .subarray(Object.keys(NUMBERS) as (keyof typeof NUMBERS)[], { maxLength: 3 })
  .chain((keys) => fc.record(Object.fromEntries(keys.map((key) => [key, NUMBERS[key]]))));

const PLUGIN_NAMES = ['word-count', 'other', 'constructor-like'] as const;
const MOUNT_NAMES = ['data', 'out', 'models', 'to-string'] as const;

/** Written everywhere where a manifest has text of its own; it must be in no body. */
export const MARKER = 'only-the-plugin-says-this';

const anyMounts = rarely(
  fc.dictionary(fc.constantFrom(...MOUNT_NAMES), rarely(fc.constantFrom('ro', 'rw'), anyOddity), {
    maxKeys: 3,
  }),
  anyOddity,
);

const anyFilesystem = fc.oneof(
  { weight: 3, arbitrary: fc.boolean() },
  fc.record({ scratch: fc.boolean(), mounts: anyMounts }, { requiredKeys: [] }),
);

const anyNetwork = rarely(
  fc.constantFrom<unknown>(false, false, false, true, true, 'host', { hosts: ['api.example.org:443'] }),
  anyOddity,
);

const anyPlainManifest = fc.record(
  {
    name: rarely(fc.constantFrom(...PLUGIN_NAMES), anyOddity),
    version: rarely(fc.constantFrom('1.0.0', '0.0.1-beta.2'), anyOddity),
    author: fc.constant({ name: MARKER }),
    description: fc.constant(MARKER),
    plugin_type: fc.constant('tool'),
    entry_point: fc.constant(`${MARKER}.mjs`),
    tags: fc.constant([MARKER]),
    enabled: fc.boolean(),
    permissions: fc.record(
      {
        filesystem: anyFilesystem,
        network: anyNetwork,
        exec: rarely(fc.boolean(), anyOddity),
        channels: fc.constantFrom([], [MARKER]),
        secrets: fc.oneof({ weight: 9, arbitrary: fc.constant([]) }, fc.constant(['WEATHER_API_KEY'])),
      },
      { requiredKeys: [] },
    ),
    resources: rarely(anyResources, anyOddity),
    input_schema: fc.constant({ title: MARKER }),
  },
  { requiredKeys: ['name', 'version', 'author', 'description', 'plugin_type', 'entry_point'] },
);

/** Keys that are none of a manifest's, though somebody may hope so. */
const anySmuggled = fc.constantFrom(
  { HostConfig: { Privileged: true } },
  { Permissions: { exec: true } },
  JSON.parse('{"__proto__":{"permissions":{"exec":true}}}') as object,
);

/** A manifest with everything that an attacker could put into one. */
export const anyManifest: fc.Arbitrary<unknown> = fc
  .tuple(anyPlainManifest, fc.oneof({ weight: 40, arbitrary: fc.constant({}) }, anySmuggled))
  .map(([manifest, smuggled]) => Object.fromEntries([manifest, smuggled].flatMap(Object.entries)));

const anyAllow = {
  scratch: fc.boolean(),
  bridge: fc.boolean(),
  host_network: fc.boolean(),
  exec: fc.boolean(),
};

const anyProxy = fc.record(
  {
    url: fc.constantFrom('http://proxy.test:3128', 'https://10.0.0.7:8443'),
    no_proxy: fc.subarray(['.test', '*']),
  },
  { requiredKeys: ['url'] },
);
const anyZone = fc.constantFrom('UTC', 'Etc/GMT+5');
const anyLocale = fc.constantFrom('de-CH', 'zh-Hant-TW', 'fr');

const anyPluginPolicy = fc.record(
  {
    digest: fc.constantFrom(
      `sha256:${'a'.repeat(64)}`,
      `sha256:${'a'.repeat(64)}`,
      `sha256:${'b'.repeat(64)}`,
    ),
    ceilings: anyResources,
    allow: fc.record(
      { ...anyAllow, mounts: fc.uniqueArray(fc.constantFrom(...MOUNT_NAMES), { maxLength: 4 }) },
      { requiredKeys: [] },
    ),
    resources: fc.oneof({ weight: 3, arbitrary: fc.constant({}) }, anyResources),
    oci_runtime: fc.constantFrom('runc', 'runsc', 'crun'),
    proxy: fc.oneof(fc.constant(false), anyProxy),
  },
  { requiredKeys: [] },
);

export const anyPolicy = fc.record(
  {
    ceilings: anyResources,
    allow: fc.record(
      {
        ...anyAllow,
        mounts: fc.dictionary(
          fc.constantFrom(...MOUNT_NAMES),
          fc.record({
            path: fc.constantFrom('/srv/data', '/srv/out', '/home/ada/models', '/mnt/disk'),
            mode: fc.constantFrom('ro', 'rw'),
          }),
        ),
      },
      { requiredKeys: [] },
    ),
    oci_runtime: fc.constantFrom('runc', 'runsc'),
    proxy: anyProxy,
    time_zone: anyZone,
    locale: anyLocale,
    plugins: fc.dictionary(fc.constantFrom(...PLUGIN_NAMES), anyPluginPolicy),
  },
  { requiredKeys: [] },
);
