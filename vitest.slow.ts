/**
 * Tests that need a real engine, or take long by nature. `npm run test:system` runs them, so that `npm test` stays short. Named
 * here instead of moved, since each belongs beside what it tests.
 */
export const slowTests: readonly string[] = ['test/demo/{tour,live}.test.ts', 'test/e2e/{blue-green,real-engine}.test.ts', 'test/faults/*.test.ts'];
