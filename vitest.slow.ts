/**
 * Tests that need a real engine, or take long by nature: whole daemons that die and come back in every way. `npm run test:system`
 * runs them, so that `npm test` stays short; there the scenarios of `test/features/` and two files of `test/e2e/` run whole daemons.
 * Named here instead of moved, since each belongs beside what it tests.
 */
export const slowTests: readonly string[] = [
  'test/demo/{tour,live}.test.ts',
  'test/e2e/!(commands|crash-and-restart).test.ts',
  'test/faults/*.test.ts',
];
