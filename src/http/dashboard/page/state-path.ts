/** Where a chart stands, as text and as the names of its states; and which drawn line a transition is. Pure. */

/** A state's value as a path: `{starting: {loading: 'answering'}}` → `starting.loading.answering`; parallel ones joined by a comma. */
export const pathText = (value: unknown): string => {
  if (typeof value === 'string') return value;
  if (typeof value !== 'object' || value === null) return '';
  return Object.entries(value)
    .map(([key, child]) => {
      const below = pathText(child);
      return below === '' ? key : `${key}.${below.includes(',') ? `(${below})` : below}`;
    })
    .join(',');
};

/** As `tools/statecharts/join-lines.ts` joins them: transitions out of a public state are one line from it. */
export const lineKey = (source: string, target: string): string => {
  const top = source.split('.').slice(0, 2).join('.');
  const leaves = target !== top && !target.startsWith(`${top}.`);
  return `${leaves ? top : source}:${target}`;
};

/** Every state that a path names and every state around it: `a.b,c` → `a`, `a.b`, `a.c`; what is in brackets is below. */
export const statesIn = (path: string): readonly string[] => {
  const machine = path.split('.')[0] ?? '';
  const rest = path.slice(machine.length + 1);
  return [machine, ...(rest === '' ? [] : below(machine, rest))];
};

const below = (parent: string, path: string): string[] =>
  partsOf(path).flatMap((part) => {
    const [, name = part, rest = ''] = /^([^.]+)\.(.*)$/s.exec(part) ?? [];
    const here = `${parent}.${name}`;
    return [here, ...(rest === '' ? [] : below(here, rest.startsWith('(') ? rest.slice(1, -1) : rest))];
  });

/** Split at the commas that are in no brackets. */
const partsOf = (path: string): string[] => {
  const parts = [''];
  let depth = 0;
  for (const letter of path) {
    if (letter === '(') depth += 1;
    if (letter === ')') depth -= 1;
    if (letter === ',' && depth === 0) parts.push('');
    else parts.push(`${parts.pop() ?? ''}${letter}`);
  }
  return parts;
};

export const leavesOf = (ids: readonly string[]): string[] => ids.filter((id) => !ids.some((other) => other.startsWith(`${id}.`)));
