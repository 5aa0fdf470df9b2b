/** Before the tests: the package that their daemons are started from is made, and compiled, once. */
import { packageUnderTest } from './package-under-test.ts';

export default async (): Promise<void> => {
  await packageUnderTest();
};
