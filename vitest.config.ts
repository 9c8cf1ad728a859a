import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { defineConfig } from 'vitest/config';
import { LongestFirst } from './test/helpers/longest-first.ts';

const TEMP_SETUP = 'test/helpers/temp-setup.ts';

/** What the processes of a test have: a folder for temporary files, and most of their start is compiling, which is kept. */
function envIn(project: string) {
  return {
    // Short, because the path of a socket has 108 bytes at most.
    TMPDIR: join(tmpdir(), `lbt-${project}-${process.pid}`),
    NODE_COMPILE_CACHE: join(import.meta.dirname, 'node_modules/.cache/lurkbox-tests'),
  };
}

export default defineConfig({
  test: {
    sequence: { sequencer: LongestFirst },
    projects: [
      {
        test: {
          name: 'unit',
          include: ['test/**/*.test.ts'],
          exclude: ['test/container/**', 'test/long/**'],
          globalSetup: TEMP_SETUP,
          env: envIn('u'),
          // Some start a process; on a busy machine that takes its time. Many wait, so two cores have work for more than one.
          maxWorkers: 2,
          // To end what hangs. The longest takes 25 s on two quiet cores.
          testTimeout: 90_000,
          sequence: { groupOrder: 0 },
        },
      },
      {
        test: {
          name: 'container',
          include: ['test/container/**/*.test.ts'],
          globalSetup: [TEMP_SETUP, 'test/helpers/container-setup.ts'],
          env: envIn('c'),
          // Containers share the cores with what measures them, so few files run at once and nothing is hurried; a third of
          // the time is waiting.
          maxWorkers: 3,
          testTimeout: 120_000,
          hookTimeout: 120_000,
          sequence: { groupOrder: 1 },
        },
      },
      {
        test: {
          name: 'long',
          include: ['test/long/**/*.test.ts'],
          globalSetup: [TEMP_SETUP, 'test/helpers/container-setup.ts'],
          env: envIn('l'),
          // One at a time: each of them loads the engine as much as it can bear.
          maxWorkers: 1,
          testTimeout: 3_600_000,
          hookTimeout: 120_000,
          sequence: { groupOrder: 2 },
        },
      },
    ],
  },
});
