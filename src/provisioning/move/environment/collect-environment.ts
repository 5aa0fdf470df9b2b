/** An environment as it lies in the store, with the facts that tie it to its place and its machine. Reads, and changes nothing. */
import { lstat, readdir, readlink } from 'node:fs/promises';
import { machine } from 'node:os';
import { join } from 'node:path';
import { quoted } from '../../archive/entry.ts';
import { plainName } from '../../archive/names.ts';
import type { EngineRecord } from '../../engines/record.ts';
import { hashWhole } from '../../fetch/hash-whole.ts';
import type { CarriedEngine, CarriedEnvironment, Piece } from '../manifest.ts';
import { interpreterOf } from './interpreter.ts';
import { type Laid, type Link, wrongIn } from './links.ts';
import { startOf } from './program.ts';

interface CollectedEnvironment {
  readonly environment: CarriedEnvironment;
  readonly files: CarriedEngine['files'];
  readonly pieces: readonly Piece[];
}

const silent = { phase: () => undefined, progress: () => undefined };
const again = 'removing it and `pool-managerd pull` make it anew';

/** In words: why it cannot be carried. */
export const collectEnvironment = async (
  { executable, files: known, packages }: EngineRecord,
  dir: string,
): Promise<CollectedEnvironment | string> => {
  const laid = await layOf(dir);
  if (typeof laid === 'string') return `expected files, folders and links in its environment, found ${laid}; ${again}`;
  const python = await interpreterOf(dir, laid.links);
  if (typeof python === 'string') return `expected an environment that Python made by links, found ${python}; ${again}`;
  const wrong = wrongIn(laid, python.path);
  if (wrong !== null)
    return `expected links inside of its environment or to its interpreter, found ${wrong}; ${again} (with UV_LINK_MODE=copy, where uv made them)`;
  const start = await startOf(join(dir, executable), dir).catch(() => 'none that can be read');
  if (typeof start === 'string') return `expected a program that its own ${dir}/bin/python runs, found ${start}; was the store moved? ${again}`;
  const files: CarriedEngine['files'] = [];
  for (const path of laid.files) {
    // The program is known by what it was when it was tested: another one ends the export when it is read.
    const file = known.find((each) => each.path === path) ?? (await hashWhole({ kind: 'hash', path: join(dir, path) }, silent).catch(() => null));
    const facts = await lstat(join(dir, path)).catch(() => null);
    if (file === null || facts === null)
      return `expected ${path} of its environment to be readable, found that it is not; export it again while no engine of it starts`;
    const { sha256, bytes } = file;
    files.push({ path, sha256, bytes, isExecutable: (facts.mode & 0o111) !== 0, changedAt: Math.max(0, Math.floor(facts.mtimeMs / 1_000)) });
  }
  const { folders, links } = laid;
  return {
    environment: { path: dir, python, machine: machine(), packages: packages ?? [], folders: [...folders], links: [...links] },
    files,
    pieces: files.map(({ path, sha256, bytes }) => ({ sha256, bytes, path: join(dir, path) })),
  };
};

/** Folder by folder, since a recursive listing goes through links; in an order that is the same each time. */
const layOf = async (dir: string): Promise<Laid | string> => {
  const laid: { readonly files: string[]; readonly folders: string[]; readonly links: Link[] } = { files: [], folders: [], links: [] };
  const left = [''];
  for (let folder = left.pop(); folder !== undefined; folder = left.pop()) {
    const found = (await readdir(join(dir, folder), { withFileTypes: true })).sort(byName);
    if (found.length === 0 && folder !== '') laid.folders.push(folder);
    for (const each of found) {
      const path = join(folder, each.name);
      if (plainName(path) !== path) return `the name ${quoted(path)}`;
      if (each.isFile()) laid.files.push(path);
      else if (each.isDirectory()) left.push(path);
      else if (each.isSymbolicLink()) laid.links.push({ path, target: await readlink(join(dir, path)) });
      else return `${quoted(path)}, which is none of them`;
    }
  }
  return laid;
};

const byName = (one: { readonly name: string }, other: { readonly name: string }): number => (one.name < other.name ? -1 : 1);
