/**
 * How test runs report: as vitest does, then each test that did not run and why. With `TEST_REPORT=FILE` the numbers also go
 * to a file, as JSON.
 *
 * A test says why it does not run by `context.skip('reason')`, or by its title.
 */
import type { Reporter, TestCase, TestModule, TestUserConfig } from 'vitest/node';

type Reporters = NonNullable<TestUserConfig['reporters']>;

export const reporters = (): Reporters => {
  const file = process.env['TEST_REPORT'];
  return ['default', notRun, ...(file === undefined || file === '' ? [] : [['json', { outputFile: file }] satisfies [string, object]])];
};

const notRun: Reporter = {
  onTestRunEnd: (modules) => {
    const skipped = modules.flatMap(skippedIn);
    if (skipped.length === 0) return;
    console.log(`\n${skipped.length} tests were not run:\n${skipped.map((line) => `  ${line}`).join('\n')}`);
  },
};

const skippedIn = (module: TestModule): string[] =>
  [...module.children.allTests('skipped')].map((test) => `${module.relativeModuleId} › ${test.fullName}${reasonOf(test)}`);

const reasonOf = (test: TestCase): string => {
  const result = test.result();
  return result.state === 'skipped' && result.note !== undefined ? `: ${result.note}` : '';
};
