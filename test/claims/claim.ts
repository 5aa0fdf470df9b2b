/** What tests are said to hold. `title`: words of the test's title in that file; a test checks that it is there. */
export interface Held {
  readonly file: string;
  readonly title: string;
}

/** `a.test.ts`, its titles. */
export const by = (file: string, ...titles: readonly string[]): readonly Held[] => titles.map((title) => ({ file: `test/${file}`, title }));
