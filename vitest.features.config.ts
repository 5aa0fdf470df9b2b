/** The scenarios of `test/features/`, told in Gherkin: `npm run test:bdd`, and a part of `npm test`. */
import { quickpickle } from 'quickpickle';
import { defineProject } from 'vitest/config';

export default defineProject({
  plugins: [quickpickle({ stepTimeout: 25_000 })],
  test: {
    name: 'features',
    include: ['test/features/*.feature'],
    // As in vitest.config.ts, from which a project in a file inherits nothing.
    pool: 'forks',
    isolate: false,
    maxWorkers: 2,
    // Each of them is a daemon or two.
    maxConcurrency: 3,
    globalSetup: 'test/kit/package-once.ts',
    testTimeout: 60_000,
    hookTimeout: 30_000,
    setupFiles: ['test/kit/no-stray-warnings.ts', 'test/features/steps.ts'],
  },
});
