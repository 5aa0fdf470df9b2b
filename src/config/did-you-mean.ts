/** The known name that was probably meant. Pure. */

/** Null: none is near. */
export const nearest = (name: string, known: readonly string[]): string | null => {
  const most = name.length <= 4 ? 1 : 2;
  const ranked = known.map((candidate) => ({ candidate, far: distance(name.toLowerCase(), candidate.toLowerCase(), most) }));
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
