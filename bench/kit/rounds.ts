/** The same work again and again, one after the other; what came of the first, which warm up, is dropped. */

export const times = async <T>(
  count: number,
  work: (round: number) => Promise<T>,
  { warmUp }: { readonly warmUp: number },
): Promise<readonly T[]> => {
  for (let round = 0; round < warmUp; round += 1) await work(round);
  const made: T[] = [];
  for (let round = 0; round < count; round += 1) made.push(await work(round));
  return made;
};
