/** Why a flag is refused, from a table by name and one by what a name is about. Pure. */

export interface DeniedFlags {
  /** Every spelling, short and long, also of other versions. */
  readonly byName: readonly (readonly [why: string, names: string])[];
  /** Names that a later version may add. */
  readonly byPattern: readonly (readonly [RegExp, string])[];
}

/** Null: it is not refused. */
export const deniedBy = ({ byName, byPattern }: DeniedFlags): ((flag: string) => string | null) => {
  const names: ReadonlyMap<string, string> = new Map(byName.flatMap(([why, list]) => list.split(' ').map((name) => [name, why] as const)));
  return (flag) => names.get(flag) ?? byPattern.find(([pattern]) => pattern.test(flag))?.[1] ?? null;
};
