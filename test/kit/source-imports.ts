/** What each file of `src/` imports, read from its text: for tests of who may know whom. */
import { globSync, readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';

export interface SourceImport {
  /** Path below `src/`, like `actors/spawn-engine.ts`. */
  readonly from: string;
  /** Path below `src/` (one that leaves it begins with `..`), or the name of a package or of a `node:` module. */
  readonly to: string;
  readonly kind: 'ours' | 'package' | 'node';
  /** Gone when the types are stripped. */
  readonly typeOnly: boolean;
}

const src = join(import.meta.dirname, '..', '..', 'src');

export const sourceFiles: readonly string[] = globSync('**/*.ts', { cwd: src }).sort();

export const sourceText = (file: string): string => readFileSync(join(src, file), 'utf8');

export const sourceImports = (): SourceImport[] => sourceFiles.flatMap((file) => importsIn(file, sourceText(file)));

const statement = /^(?:import|export)\s+(?:(?<type>type)\s)?(?:(?<names>[^;'"]*?)\sfrom\s+)?'(?<named>[^']+)'/gm;
const dynamic = /\bimport\(\s*'(?<named>[^']+)'/g;

export const importsIn = (file: string, text: string): SourceImport[] => [
  ...[...text.matchAll(statement)].map(({ groups }) =>
    made(file, groups?.['named'] ?? '', groups?.['type'] !== undefined || namesOnlyTypes(groups?.['names'])),
  ),
  ...[...text.matchAll(dynamic)].map(({ groups }) => made(file, groups?.['named'] ?? '', false)),
];

const namesOnlyTypes = (names = ''): boolean => {
  const listed = /^\{(.*)\}$/s
    .exec(names.trim())?.[1]
    ?.split(',')
    .map((name) => name.trim());
  return listed?.every((name) => name === '' || name.startsWith('type ')) ?? false;
};

const made = (from: string, named: string, typeOnly: boolean): SourceImport => {
  if (named.startsWith('.')) return { from, to: relative(src, join(src, dirname(from), named)), kind: 'ours', typeOnly };
  if (named.startsWith('#src/')) return { from, to: named.slice('#src/'.length), kind: 'ours', typeOnly };
  return named.startsWith('node:') ? { from, to: named, kind: 'node', typeOnly } : { from, to: named, kind: 'package', typeOnly };
};
