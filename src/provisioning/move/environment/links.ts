/** Which links a carried environment may have: to a place inside of it, or to the interpreter that it was made with. Pure. */
import { posix } from 'node:path';
import { quoted } from '../../archive/entry.ts';
import { linkTarget } from '../../archive/names.ts';

export interface Link {
  /** From the environment on. */
  readonly path: string;
  /** As it is written in the link. */
  readonly target: string;
}

export interface Laid {
  readonly files: readonly string[];
  /** Those with nothing in them; the others follow from what is in them. */
  readonly folders: readonly string[];
  readonly links: readonly Link[];
}

/** Null: every name is one thing, and every link leads where it may; else what was found. */
export const wrongIn = ({ files, folders, links }: Laid, interpreter: string): string | null => {
  const names = [...files, ...folders, ...links.map(({ path }) => path)];
  if (new Set(names).size !== names.length) return 'a name twice';
  const inside = new Set([...folders, ...names.flatMap(foldersAbove)]);
  // Whatever lay below a link would be written to where it leads.
  const both = [...files, ...links.map(({ path }) => path)].find((path) => inside.has(path));
  if (both !== undefined) return `${quoted(both)}, which is no folder, with something below it`;
  const plain = new Set([...files, ...inside]);
  const led = new Map(links.map((link) => [link.path, placeOf(link, interpreter)]));
  for (const { path, target } of links) {
    if (!ends(path, led, plain)) return `the link ${quoted(path)} to ${quoted(target)}, neither in it nor its interpreter ${quoted(interpreter)}`;
  }
  return null;
};

/** No name of anything inside. */
const atInterpreter = '/';

/**
 * Where the kernel would go, in one step; null: out of it. Only a target without detours: `..` behind the name of a link is not what it
 * looks like.
 */
const placeOf = ({ path, target }: Link, interpreter: string): string | null => {
  if (target === interpreter) return atInterpreter;
  const place = posix.normalize(target) === target ? linkTarget(path, target) : null;
  return place === '' || (place !== null && path.startsWith(`${place}/`)) ? null : place;
};

const ends = (link: string, led: ReadonlyMap<string, string | null>, plain: ReadonlySet<string>): boolean => {
  let at = link;
  for (let hops = 0; hops <= led.size; hops += 1) {
    const next = led.get(at) ?? null;
    if (next === null) return false;
    if (next === atInterpreter || plain.has(next)) return true;
    at = next;
  }
  return false;
};

const foldersAbove = (path: string): readonly string[] => {
  const words = path.split('/').slice(0, -1);
  return words.map((_word, index) => words.slice(0, index + 1).join('/'));
};
