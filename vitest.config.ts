/** `npm test`: the tests of `test/`, those of the system apart, and the scenarios of `test/features/`. */
import { defineConfig } from 'vitest/config';
import { reporters } from './tools/test-reporters.ts';

export default defineConfig({
  test: {
    dangerouslyIgnoreUnhandledErrors: false,
    reporters: reporters(),
    projects: [
      {
        test: {
          name: 'tests',
          include: ['test/**/*.test.ts'],
          exclude: ['test/system/**', 'node_modules/**'],
          pool: 'forks',
          testTimeout: 20_000,
          hookTimeout: 20_000,
          restoreMocks: true,
          setupFiles: ['test/kit/no-stray-warnings.ts'],
        },
      },
      './vitest.features.config.ts',
    ],
  },
});
