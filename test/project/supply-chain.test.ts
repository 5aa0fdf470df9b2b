/** What comes with the project, and how it starts programs. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import * as v from 'valibot';
import { describe, expect, it } from 'vitest';
import { sourceFiles, sourceText } from '../kit/source-imports.ts';

const root = join(import.meta.dirname, '..', '..');
const lock = v.parse(
  v.object({
    packages: v.record(
      v.string(),
      v.object({
        integrity: v.optional(v.string()),
      }),
    ),
  }),
  JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8')),
);
const packages = Object.entries(lock.packages).filter(([path]) => path !== '');

describe('What is installed', () => {
  it('is known by its hash, every package of it (S32)', () => {
    expect(packages.length).toBeGreaterThan(50);
    expect(packages.filter(([, { integrity }]) => !/^sha512-/.test(integrity ?? '')).map(([path]) => path)).toEqual([]);
  });
});

describe('Programs', () => {
  it('are started with a list of arguments; no text of anybody is read by a shell (S14)', () => {
    const suspicious = /\bshell: (?:true|['"`])|(?<!\.)\bexec(?:Sync)?\(|\bexecaCommand|\$\{[^}]*\}`, *\{ *shell/;
    expect(sourceFiles.filter((file) => suspicious.test(sourceText(file)))).toEqual([]);
  });
});
