/**
 * What was found of pools → rows for a person: a sound pool is one row, one with findings a row for each of its checks. Of very many
 * pools the first are told, and of the rest how many there are. Pure.
 */
import type { Check } from '../check.ts';

export interface Examined {
  readonly id: string;
  readonly checks: readonly Check[];
}

/** With at most five checks each, and one row that counts the rest. */
export const mostInFull = 20;
export const mostSound = 50;

export const rowsOf = (pools: readonly Examined[]): readonly Check[] => {
  const [faulty, sound] = [pools.filter((pool) => !isSound(pool)), pools.filter(isSound)];
  const told = new Set([...faulty.slice(0, mostInFull), ...sound.slice(0, mostSound)]);
  return [
    ...pools.filter((pool) => told.has(pool)).flatMap((pool) => (isSound(pool) ? [inOne(pool)] : inFull(pool))),
    ...counted(faulty.slice(mostInFull)),
    ...(sound.length > mostSound ? [row('more pools', 'ok', `${sound.length - mostSound} without findings`)] : []),
  ];
};

const isSound = ({ checks }: Examined): boolean => checks.every(({ verdict }) => verdict === 'ok');

const row = (name: string, verdict: Check['verdict'], found: string, todo: string | null = null): Check => ({ name, verdict, found, todo });

const inOne = ({ id, checks }: Examined): Check => row(`pool ${id}`, 'ok', checks.map(({ name, found }) => `${name}: ${found}`).join('; '));

const inFull = ({ id, checks }: Examined): readonly Check[] => checks.map((check) => ({ ...check, name: `pool ${id}: ${check.name}` }));

/** The worst of them decides, so that what is not told still fails. */
const counted = (pools: readonly Examined[]): readonly Check[] => {
  const worst = (['fail', 'warn', 'unknown'] as const).find((verdict) =>
    pools.some(({ checks }) => checks.some((check) => check.verdict === verdict)),
  );
  if (worst === undefined) return [];
  const ids = pools.slice(0, 10).map(({ id }) => id);
  const named = `${ids.join(', ')}${ids.length < pools.length ? ', …' : ''}`;
  return [row('more pools', worst, `${pools.length} with findings that are not told here: ${named}`, 'see to those above, then look again')];
};
