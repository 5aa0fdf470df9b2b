/** Joins what tables claim with what tests themselves say: tags of scenarios, rows in titles. Knows nothing of pages. */
import type { Held } from '../../test/claims/claim.ts';
import { type Fault, faults } from '../../test/claims/faults.ts';
import { type Requirement, requirements } from '../../test/claims/requirements.ts';
import { type Threat, threats } from '../../test/claims/security.ts';
import { allTests, type NamedTest } from './tests.ts';

export interface Joined<Claim> {
  readonly claim: Claim;
  readonly tests: readonly Held[];
}

const rowTag = /^fault-(\d+)$/;
const reserved = new Set(['concurrent', 'clock']);

export const joinRequirements = (tests: readonly NamedTest[] = allTests()): readonly Joined<Requirement>[] =>
  requirements.map((claim) => ({ claim, tests: unique([...claim.tests, ...tests.filter(({ tags }) => tags.some((tag) => covers(claim, tag)))]) }));

export const joinFaults = (tests: readonly NamedTest[] = allTests()): readonly Joined<Fault>[] =>
  faults.map((claim) => ({ claim, tests: unique([...claim.tests, ...tests.filter((test) => rowsOf(test).includes(claim.row))]) }));

export const joinThreats = (tests: readonly NamedTest[] = allTests()): readonly Joined<Threat>[] =>
  threats.map((claim) => ({ claim, tests: unique([...claim.tests, ...tests.filter((test) => threatsOf(test).includes(claim.row))]) }));

/** Tags that are no row of either table and mean nothing to the runner either. */
export const unknownTags = (tests: readonly NamedTest[] = allTests()): readonly string[] =>
  [...new Set(tests.flatMap(({ tags }) => tags))].filter(
    (tag) => !reserved.has(tag) && !rowTag.test(tag) && !requirements.some((requirement) => covers(requirement, tag)),
  );

/** `CLOUD-2004` lies in `CLOUD-2001–2022`. */
export const covers = ({ ids }: Pick<Requirement, 'ids'>, tag: string): boolean =>
  ids.some((id) => {
    if (id === tag) return true;
    const [, family, first, last] = /^([A-Z]+)-(\d+)–(\d+)$/.exec(id) ?? [];
    const [, ofTag, number] = /^([A-Z]+)-(\d+)$/.exec(tag) ?? [];
    return family !== undefined && family === ofTag && Number(number) >= Number(first) && Number(number) <= Number(last);
  });

/** By tag, by `(row 9)` or `(rows 19, 20)` in the title. */
export const rowsOf = ({ title, tags }: NamedTest): readonly number[] => [
  ...tags.flatMap((tag) => rowTag.exec(tag)?.[1] ?? []).map(Number),
  ...(/\(rows? ([\d, ]+)\)/.exec(title)?.[1]?.split(',').map(Number) ?? []),
];

/** By `(S9)` or `(S1, S2)` in the title. */
export const threatsOf = ({ title }: Pick<NamedTest, 'title'>): readonly number[] =>
  (/\((S\d+(?:, S\d+)*)\)/.exec(title)?.[1]?.split(', ') ?? []).map((row) => Number(row.slice(1)));

const unique = (tests: readonly Held[]): readonly Held[] => [...new Map(tests.map((test) => [`${test.file} ${test.title}`, test])).values()];
