/** The pages say what the code and package.json have: dependencies, the source map, links. */
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as v from 'valibot';
import { describe, expect, it, onTestFinished } from 'vitest';
import { brokenLinks } from '../../tools/links.ts';
import { openingSentence, withSourceMap } from '../../tools/source-map.ts';
import { sourceFiles, sourceText } from '../kit/source-imports.ts';

const root = join(import.meta.dirname, '..', '..');
const read = (path: string): Promise<string> => readFile(join(root, path), 'utf8');

const versions = v.optional(v.record(v.string(), v.string()), {});
const packageSchema = v.object({ scripts: versions, dependencies: versions, devDependencies: versions, optionalDependencies: versions });
const project = v.parse(packageSchema, JSON.parse(await read('package.json')));
const required = { ...project.dependencies, ...project.devDependencies, ...project.optionalDependencies };

describe('docs/dependencies.md', () => {
  it('names exactly what package.json has', async () => {
    const rows = (await read('docs/dependencies.md')).split('\n').filter((line) => line.startsWith('| `'));
    const named = rows.flatMap((row) => [...(row.split('|')[1] ?? '').matchAll(/`([^`]+)`/g)].map(([, name]) => name ?? ''));
    expect(named.sort()).toEqual(Object.keys(required).sort());
  });

  it('says of each what for, why not our own, and the licence', async () => {
    const rows = (await read('docs/dependencies.md')).split('\n').filter((line) => line.startsWith('| `'));
    const empty = rows.filter((row) =>
      row
        .split('|')
        .slice(1, -1)
        .some((cell) => cell.trim() === ''),
    );
    expect(empty).toEqual([]);
  });
});

describe('what is installed', () => {
  it('is pinned exactly', () => {
    expect(Object.entries(required).filter(([, version]) => !/^\d+\.\d+\.\d+$/.test(version))).toEqual([]);
  });

  it('runs no script when it is installed, so that no npm asks for an approval (S32)', async () => {
    expect(await read('package-lock.json')).not.toContain('hasInstallScript');
  });

  it('comes from whatever registry the machine has: the lockfile names none', async () => {
    expect(await read('package-lock.json')).not.toMatch(/"resolved": "https?:/);
  });
});

describe('docs/architecture.md', () => {
  it('has the source map of this code', async () => {
    const page = await read('docs/architecture.md');
    expect(page, 'docs/architecture.md is stale: npm run generate').toBe(withSourceMap(page));
  });

  it('finds an opening sentence in every file', () => {
    expect(sourceFiles.filter((file) => openingSentence(sourceText(file)) === null)).toEqual([]);
  });

  it.each([
    ['/** One. Two. */', 'One.'],
    ['/**\n * Over two\n * lines: and on. More.\n *\n * Second paragraph.\n */', 'Over two lines: and on.'],
    ['/** Without an end */', 'Without an end'],
    ['#!/usr/bin/env node\n/** After a shebang. */', 'After a shebang.'],
  ])('takes the first sentence of %j', (text, sentence) => {
    expect(openingSentence(text)).toBe(sentence);
  });

  it('refuses a page without its marks', () => {
    expect(() => withSourceMap('# Nothing')).toThrow('expected the marks');
  });
});

describe('docs/decisions/', () => {
  it('lists every record', async () => {
    const records = (await readdir(join(root, 'docs/decisions'))).filter((name) => /^\d{4}-/.test(name));
    const listed = [...(await read('docs/decisions/README.md')).matchAll(/\]\((\d{4}-[^)]+)\)/g)].map(([, name]) => name);
    expect(listed).toEqual(records.sort());
  });
});

describe('links', () => {
  it('between the pages lead somewhere', () => {
    expect(brokenLinks(root)).toEqual([]);
  });

  it('that lead nowhere are found', async () => {
    const dir = await mkdtemp(join(tmpdir(), 'links-'));
    onTestFinished(() => rm(dir, { recursive: true }));
    await writeFile(
      join(dir, 'a.md'),
      '# A b: `c`\n[ok](#a-b-c) [web](https://x.invalid) `[code](no.md)`\n[gone](no.md) [heading](b.md#no)\n<img src="no.svg">\n',
    );
    await writeFile(join(dir, 'b.md'), '# B\n```\n[code](no.md)\n```\n[out](../x.md) [a](a.md#a-b-c)\n');
    expect(brokenLinks(dir)).toEqual([
      'a.md:3: no.md does not exist',
      'a.md:3: b.md#no: no such heading there',
      'a.md:4: no.svg does not exist',
      'b.md:5: ../x.md leaves the project',
    ]);
  });
});

describe('npm scripts', () => {
  it('say what to do on a Node that is too old', () => {
    const unguarded = Object.entries(project.scripts).filter(
      ([, script]) => !/^(?:node tools\/need-node\.js && |node (?:--[\w=-]+ )*bin\/|npm run )/.test(script),
    );
    expect(unguarded).toEqual([]);
  });
});
