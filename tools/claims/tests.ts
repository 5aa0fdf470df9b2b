/**
 * Which tests there are, read from their source: titles of vitest's tests, and scenarios of features with their tags.
 *
 * Reads text, runs nothing. A title that is put together at run time is known by the words that stand in the source.
 */
import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

export interface NamedTest {
  /** From the root of the project. */
  readonly file: string;
  readonly title: string;
  /** Of Gherkin, `@` left out. */
  readonly tags: readonly string[];
}

const root = join(import.meta.dirname, '..', '..');

/** `it('…`, `it.each([…])('…`, `it.skipIf(…)('…`, each over several lines. */
const call = /(?:\b(?:it|test)(?:\.\w+)*\(|\](?: as const)?\)\(|\b(?:it|test)\.\w+\([^\n]*?\)\()\s*(['"`])((?:\\.|(?!\1)[^\\])+)\1/g;

export const allTests = (): readonly NamedTest[] => [
  ...globSync('test/**/*.ts', { cwd: root })
    .sort()
    .flatMap((file) => titlesIn(read(file)).map((title) => ({ file, title, tags: [] }))),
  ...globSync('test/features/*.feature', { cwd: root })
    .sort()
    .flatMap((file) => scenariosIn(read(file)).map((scenario) => ({ file, ...scenario }))),
];

export const titlesIn = (source: string): readonly string[] => [...source.matchAll(call)].map(([, , title = '']) => title.replaceAll(/\\(.)/g, '$1'));

/** Tags of the feature count for each of its scenarios. */
export const scenariosIn = (source: string): readonly Omit<NamedTest, 'file'>[] => {
  let ofFeature: readonly string[] = [];
  let above: readonly string[] = [];
  return source.split('\n').flatMap((line) => {
    const text = line.trim();
    if (text.startsWith('@')) {
      above = [...above, ...text.split(/\s+/).map((tag) => tag.slice(1))];
      return [];
    }
    const [, kind, title = ''] = /^(Feature|Scenario|Scenario Outline): (.+)$/.exec(text) ?? [];
    if (kind === undefined) return [];
    const tags = above;
    above = [];
    if (kind !== 'Feature') return [{ title, tags: [...ofFeature, ...tags] }];
    ofFeature = tags;
    return [];
  });
};

const read = (file: string): string => readFileSync(join(root, file), 'utf8');
