/** The known name that was probably meant. Pure. */

const mostEdits = 2;

/**
 * So many edits leave one of three parts as it was, which is found faster than edits are counted: a daemon reads a whole environment
 * before it answers.
 */
const mayBeNear = (name: string, candidate: string): boolean => {
  const third = Math.floor(candidate.length / (mostEdits + 1));
  return [candidate.slice(0, third), candidate.slice(third, 2 * third), candidate.slice(2 * third)].some((part) => name.includes(part));
};

/** Null: none is near. */
export const nearest = (name: string, known: readonly string[]): string | null => {
  const most = name.length <= 4 ? 1 : mostEdits;
  const low = name.toLowerCase();
  const ranked = known
    .map((candidate) => ({ candidate, lowered: candidate.toLowerCase() }))
    .filter(({ lowered }) => mayBeNear(low, lowered))
    .map(({ candidate, lowered }) => ({ candidate, far: distance(low, lowered, most) }));
  const best = ranked.filter(({ far }) => far <= most).sort((a, b) => a.far - b.far)[0];
  return best?.candidate ?? null;
};

/** Levenshtein's; lengths that cannot be near are not compared. */
const distance = (a: string, b: string, most: number): number => {
  if (Math.abs(a.length - b.length) > most) return Number.POSITIVE_INFINITY;
  let row = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (const [i, letter] of [...a].entries()) {
    const next = [i + 1];
    for (const [j, other] of [...b].entries()) {
      next.push(Math.min((next[j] ?? 0) + 1, (row[j + 1] ?? 0) + 1, (row[j] ?? 0) + (letter === other ? 0 : 1)));
    }
    row = next;
  }
  return row.at(-1) ?? 0;
};
