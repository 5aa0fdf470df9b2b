/**
 * Tests that need a real engine, or take long by nature: whole daemons that die and come back in every way, floods, each system call
 * cut off in turn, a thousand lives of a pool, servers and programs that are slow on purpose. `npm run test:system` runs them, so that
 * `npm test` stays short; there the scenarios of `test/features/` run whole daemons. Named here instead of moved, since each belongs beside
 * what it tests.
 */
export const slowTests: readonly string[] = [
  'test/actors/{engine-life,launch-units}.test.ts',
  'test/cli/{doctor-pools,store}.test.ts',
  'test/demo/{tour,live}.test.ts',
  'test/e2e/*.test.ts',
  'test/gpu/{estimate-real,nvidia-smi,nvml,smi-loop}.test.ts',
  'test/logs/flood.test.ts',
  'test/machines/pool-leaks.test.ts',
  'test/observe/journal-gap.test.ts',
  'test/project/old-node.test.ts',
  'test/provisioning/{build-source,fetch-model,fetch-wide,hub,install-engine,install-package,move,move-environment,unpack}.test.ts',
  'test/state/crash-points.test.ts',
  'test/faults/*.test.ts',
];
