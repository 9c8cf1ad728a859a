import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    projects: [
      {
        test: {
          name: 'unit',
          include: ['test/**/*.test.ts'],
          exclude: ['test/container/**', 'test/long/**'],
          globalSetup: 'test/helpers/temp-setup.ts',
          // Some start a process; on a busy machine that takes its time. Many wait, so two cores have work for more than one.
          maxWorkers: 2,
          testTimeout: 30_000,
          sequence: { groupOrder: 0 },
        },
      },
      {
        test: {
          name: 'container',
          include: ['test/container/**/*.test.ts'],
          globalSetup: ['test/helpers/temp-setup.ts', 'test/helpers/container-setup.ts'],
          // Containers share the cores with what measures them, so few files run at once and nothing is hurried.
          maxWorkers: 2,
          testTimeout: 120_000,
          hookTimeout: 120_000,
          sequence: { groupOrder: 1 },
        },
      },
      {
        test: {
          name: 'long',
          include: ['test/long/**/*.test.ts'],
          globalSetup: ['test/helpers/temp-setup.ts', 'test/helpers/container-setup.ts'],
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
