/** Tests of the whole daemon on a real machine: one file at a time, each with its own minutes. `npm run test:system`. */
import { defineConfig } from 'vitest/config';
import { reporters } from './tools/test-reporters.ts';
import { slowTests } from './vitest.slow.ts';

export default defineConfig({
  test: {
    include: ['test/system/**/*.test.ts', ...slowTests],
    pool: 'forks',
    fileParallelism: false,
    testTimeout: 300_000,
    hookTimeout: 120_000,
    restoreMocks: true,
    globalSetup: 'test/kit/package-once.ts',
    setupFiles: ['test/kit/no-stray-warnings.ts'],
    dangerouslyIgnoreUnhandledErrors: false,
    reporters: reporters(),
  },
});
