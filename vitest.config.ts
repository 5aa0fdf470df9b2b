/** `npm test`: the tests of `test/`, those of the system and the slow ones apart, and the scenarios of `test/features/`. */
import { defineConfig } from 'vitest/config';
import { reporters } from './tools/test-reporters.ts';
import { slowTests } from './vitest.slow.ts';

/** Tests that start processes, or change the one they run in. */
const withProcesses = 'test/{actors,cli,demo,e2e,faults,gpu,os,project,provisioning}/**/*.test.ts';

/** Many files in one process: starting one for each would take longer than their tests. */
const common = {
  pool: 'forks' as const,
  isolate: false,
  testTimeout: 20_000,
  hookTimeout: 20_000,
  restoreMocks: true,
  setupFiles: ['test/kit/no-stray-warnings.ts'],
};

export default defineConfig({
  test: {
    dangerouslyIgnoreUnhandledErrors: false,
    // Also where there are two cores: half of a test is waiting for processes.
    maxWorkers: 2,
    reporters: reporters(),
    projects: [
      { test: { ...common, name: 'processes', include: [withProcesses], exclude: [...slowTests], globalSetup: 'test/kit/package-once.ts' } },
      {
        test: { ...common, name: 'units', include: ['test/**/*.test.ts'], exclude: ['test/system/**', withProcesses, ...slowTests] },
      },
      './vitest.features.config.ts',
    ],
  },
});
