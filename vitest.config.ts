import { defineConfig } from 'vitest/config';
import { reporters } from './tools/test-reporters.ts';

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    exclude: ['test/system/**', 'node_modules/**'],
    pool: 'forks',
    testTimeout: 20_000,
    hookTimeout: 20_000,
    restoreMocks: true,
    setupFiles: ['test/kit/no-stray-warnings.ts'],
    dangerouslyIgnoreUnhandledErrors: false,
    reporters: reporters(),
  },
});
