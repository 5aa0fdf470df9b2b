/** `EXECUTABLE=dist/pool-managerd npx vitest run --config vitest.executable.config.ts`: the end-to-end tests, with that program as the daemon. */
import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['test/e2e/*.test.ts'],
    pool: 'forks',
    fileParallelism: false,
    maxConcurrency: 1,
    testTimeout: 120_000,
    hookTimeout: 120_000,
    restoreMocks: true,
    setupFiles: ['test/kit/no-stray-warnings.ts'],
  },
});
