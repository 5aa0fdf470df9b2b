/** Requirements and faults: the tests that tables name exist, tags mean something, nothing is claimed without a test, pages are fresh. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { covers, joinFaults, joinRequirements, joinThreats, rowsOf, threatsOf, unknownTags } from '../../tools/claims/collect.ts';
import { faultsPage, requirementsPage, securityPage } from '../../tools/claims/pages.ts';
import { allTests, scenariosIn, titlesIn } from '../../tools/claims/tests.ts';
import { reasonsPage } from '../../tools/reasons/page.ts';
import { faults, laterRows } from '../claims/faults.ts';
import { requirements } from '../claims/requirements.ts';
import { threats } from '../claims/security.ts';

const root = join(import.meta.dirname, '..', '..');
const tests = allTests();

describe('what tables claim', () => {
  it('is held by tests that exist', () => {
    const claimed = [...requirements, ...faults, ...threats].flatMap((claim) => claim.tests);
    const gone = claimed.filter((held) => !tests.some(({ file, title }) => file === held.file && title.includes(held.title)));
    expect(gone.map(({ file, title }) => `${file}: ${title}`)).toEqual([]);
  });

  it('names code that exists', () => {
    expect(requirements.flatMap(({ code }) => code).filter((file) => !existsSync(join(root, file)))).toEqual([]);
  });

  it('is said to be missing where no test holds it', () => {
    const silent = [...joinRequirements(tests), ...joinFaults(tests)].filter(
      ({ claim, tests: held }) => held.length === 0 && claim.missing === undefined && !('elsewhere' in claim && claim.elsewhere !== undefined),
    );
    expect(silent.map(({ claim }) => ('row' in claim ? `row ${claim.row}` : claim.ids.join()))).toEqual([]);
  });

  it('has every row once, those of later parts apart', () => {
    const rows = [...faults.map(({ row }) => row), ...laterRows].sort((one, other) => one - other);
    expect(rows).toEqual(Array.from({ length: 94 }, (_, index) => index + 1));
  });
});

describe('what is claimed of threats', () => {
  it('has every row once, in order', () => {
    expect(threats.map(({ row }) => row)).toEqual(Array.from({ length: 38 }, (_, index) => index + 1));
  });

  it('has a test, or says what is missing or why there is nothing to hold', () => {
    const silent = joinThreats(tests).filter(
      ({ claim, tests: held }) => held.length === 0 && claim.missing === undefined && claim.notApplicable === undefined,
    );
    expect(silent.map(({ claim }) => `S${claim.row}`)).toEqual([]);
  });

  it('is tagged by tests with rows that there are', () => {
    expect(tests.flatMap((test) => [...threatsOf(test)]).filter((row) => row < 1 || row > 38)).toEqual([]);
    expect(threatsOf({ title: 'x (S1, S38)' })).toEqual([1, 38]);
  });
});

describe('what tests say of themselves', () => {
  it('has no tag that is neither a requirement nor a row', () => {
    expect(unknownTags(tests)).toEqual([]);
  });

  it('has no row that there is not', () => {
    expect(tests.flatMap((test) => [...rowsOf(test)]).filter((row) => row < 1 || row > 94)).toEqual([]);
  });

  it('is read from titles over several lines, from tables, and from conditions', () => {
    const source = [
      "it('one', () => {});",
      'it.each([',
      "  ['a'],",
      "] as const)('two %s', () => {});",
      'it.skipIf(process.getuid?.() !== 0)(',
      "  'three \\'s',",
      "it.for([1])('four (row 7)', () => {});",
      "expect(it).toBe('five');",
    ].join('\n');
    expect(titlesIn(source)).toEqual(['one', 'two %s', "three 's", 'four (row 7)']);
  });

  it('is read from tags of feature and scenario', () => {
    const source = '@a\nFeature: F\n\n  @b @fault-3\n  Scenario: one\n    Given x\n\n  Scenario Outline: two\n';
    expect(scenariosIn(source)).toEqual([
      { title: 'one', tags: ['a', 'b', 'fault-3'] },
      { title: 'two', tags: ['a'] },
    ]);
    expect(rowsOf({ file: '', title: 'x (rows 19, 20)', tags: ['fault-3'] })).toEqual([3, 19, 20]);
  });

  it('counts for a range of ids', () => {
    expect(covers({ ids: ['CLOUD-2001–2022'] }, 'CLOUD-2004')).toBe(true);
    expect(covers({ ids: ['CLOUD-2001–2022'] }, 'CLOUD-2023')).toBe(false);
    expect(covers({ ids: ['CLOUD-2001–2022'] }, 'ORCH-2004')).toBe(false);
  });
});

it.each([
  ['docs/requirements.md', requirementsPage],
  ['docs/faults.md', faultsPage],
  ['docs/security.md', securityPage],
  ['docs/reasons.md', reasonsPage],
] as const)('%s is what the tests say; if not: npm run generate', (file, page) => {
  expect(readFileSync(join(root, file), 'utf8')).toBe(page());
});
