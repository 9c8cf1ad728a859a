import { randomUUID } from 'node:crypto';
import { expect, test } from 'vitest';
import { connectEngine } from '../../src/engine/docker/connect.ts';
import { createLurkbox } from '../../src/index.ts';
import { elfFile } from '../helpers/elf-file.ts';
import { startNpmRegistry } from '../helpers/npm-registry.ts';
import { createWorkspace } from '../helpers/workspace.ts';

/** What prebuilt packages are linked against, and Node is not. */
const GLIBC = [
  'libanl.so.1',
  'libBrokenLocale.so.1',
  'libmvec.so.1',
  'libnss_dns.so.2',
  'libresolv.so.2',
  'librt.so.1',
  'libthread_db.so.1',
  'libutil.so.1',
];

const PACKAGES = [
  {
    name: 'whole',
    files: {
      'index.js': `module.exports = require('./lib/whole.node');`,
      'lib/whole.node': elfFile({
        needed: ['libbeside.so.2', ...GLIBC, 'libc.so.6'],
        runpath: '$ORIGIN/deps',
      }),
      'lib/deps/libbeside.so.2': elfFile({ needed: ['libstdc++.so.6'] }),
      // Of another architecture, and loaded by nobody.
      'prebuilds/other.node': elfFile({ machine: 8 }),
    },
  },
  {
    name: 'lacking',
    files: {
      'index.js': `module.exports = require('./lacking.node');`,
      'lacking.node': elfFile({ needed: ['libnobody-has.so.7'] }),
    },
  },
  {
    name: 'newer',
    files: {
      'index.js': `module.exports = require('./newer.node');`,
      'newer.node': elfFile({ needed: ['libc.so.6'], versions: { 'libc.so.6': ['GLIBC_2.99'] } }),
    },
  },
  {
    name: 'unbuilt',
    manifest: { scripts: { install: 'prebuild-install || node-gyp rebuild' } },
    files: { 'index.js': `module.exports = require('../build/Release/unbuilt');` },
  },
];

test('the libraries of native packages exist in the image, or are reported at the build and at the failure', async () => {
  await using workspace = await createWorkspace();
  await using registry = await startNpmRegistry(...PACKAGES);
  const folder = await workspace.addPlugin('native-test', {
    manifest: { name: 'native-test', dependencies: PACKAGES.map(({ name }) => `${name}@1.0.0`) },
    // Its image is nobody else's, nor one of an earlier run.
    code: `// ${randomUUID()}
      import { createRequire } from 'node:module';
      export const execute = ({ inputData }) => createRequire(import.meta.url)(inputData);`,
  });
  const env = { ...process.env, ...registry.env };
  await using lurkbox = await createLurkbox({ workspaceRoot: workspace.root, maxWarm: 0, env });
  await lurkbox.plugins.loadPlugin(folder);
  const call = (inputData: string) =>
    lurkbox.plugins.executePlugin('native-test', { inputData }, { waitForRemoval: true });

  // Its libraries were found, and no code is in it that Node could run.
  const whole = await call('whole');
  expect(whole.error?.message).toContain('Module did not self-register');
  const told = [
    expect.stringMatching(/^`lacking@1\.0\.0`: "lacking\.node" needs libnobody-has\.so\.7, which neither/),
    expect.stringMatching(/^`newer@1\.0\.0`: "newer\.node" needs GLIBC_2\.99 of libc\.so\.6/),
    expect.stringMatching(/^`unbuilt@1\.0\.0` has a native part that its install script/),
  ];
  expect(whole.warnings).toEqual(told);
  const image = await lurkbox.plugins.prepare('native-test');
  expect(image).toMatchObject({ built: false, warnings: told });

  const lacking = await call('lacking');
  expect(lacking.warnings).toEqual([]);
  expect(lacking.error?.hint).toMatch(/^`lacking@1\.0\.0`: "lacking\.node" needs/);
  const newer = await call('newer');
  expect(newer.error?.hint).toMatch(/^`newer@1\.0\.0`: "newer\.node" needs GLIBC_2\.99/);
  const unbuilt = await call('unbuilt');
  expect(unbuilt.error?.hint).toMatch(/^`unbuilt@1\.0\.0` has a native part.*node-gyp rebuild/);
  await (await connectEngine()).removeImage(image.tag);
});
