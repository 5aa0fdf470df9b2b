/**
 * Whether nobody but this user and root can put something else in the place of a directory: each folder on the way to it, and
 * each link, belongs to one of the two, and no stranger may write there. What does not exist yet is not judged.
 *
 * Members of a group may write: who is given a group is trusted with it.
 */
import { lstatSync, readlinkSync, type Stats } from 'node:fs';
import { dirname, parse, resolve, sep } from 'node:path';

/** Whom a folder may belong to; default: root and whoever runs this. */
export type Owners = ReadonlySet<number>;

const mostLinks = 40;
const othersMayWrite = 0o002;
const sticky = 0o1000;

/** A sentence with the way out; null: it may be used, or made. */
export const distrustOf = (path: string, owners: Owners = ownOwners()): string | null => {
  let left = partsOf(resolve(path));
  let at = parse(resolve(path)).root;
  let links = 0;
  for (let part = left.shift(); part !== undefined; part = left.shift()) {
    const next = resolve(at, part);
    const found = lstatSync(next, { throwIfNoEntry: false });
    if (found === undefined) return null;
    const problem = problemOf(next, found, owners, left.length === 0);
    if (problem !== null) return problem;
    if (!found.isSymbolicLink()) {
      at = next;
      continue;
    }
    links += 1;
    if (links > mostLinks) return `${path}: expected a folder, found links without end`;
    const target = resolve(dirname(next), readlinkSync(next));
    left = [...partsOf(target), ...left];
    at = parse(target).root;
  }
  return null;
};

const ownOwners = (): Owners => new Set([0, process.geteuid?.() ?? 0]);

const partsOf = (path: string): string[] => path.split(sep).filter((part) => part !== '');

/** In a sticky folder, as /tmp, a name of ours stays ours; as the place itself it is everybody's. */
const problemOf = (path: string, found: Stats, owners: Owners, last: boolean): string | null => {
  if (!owners.has(found.uid))
    return `${path}: expected it to belong to root or to this user, found uid ${found.uid}; chown it, or set another directory`;
  if (found.isSymbolicLink()) return null;
  if (!found.isDirectory()) return `${path}: expected a folder, found something else`;
  const isOpen = (found.mode & othersMayWrite) !== 0 && (last || (found.mode & sticky) === 0);
  return isOpen ? `${path}: expected that nobody else may write there, found that everybody may; chmod o-w it, or set another directory` : null;
};
