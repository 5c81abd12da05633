import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    // The compiler can take seconds on a loaded machine, and no test may hang the suite.
    testTimeout: 30_000,
    hookTimeout: 30_000,
    teardownTimeout: 10_000,
    // A machine of two processors would be given one worker.
    maxWorkers: 2,
  },
});
