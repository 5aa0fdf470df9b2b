/** The flags of a command line, chosen by what the engine at hand knows. Pure. */
import { basename } from 'node:path';
import type { Cause, EnginePresent } from '../machines/vocabulary.ts';

export interface Flag {
  /** The spelling passed, which is also the one looked for in `--help`. */
  readonly words: readonly string[];
  /** What its absence means: refuse, note, or nothing. */
  readonly absent: 'refuse' | 'note' | 'fine';
}

export interface Chosen {
  readonly argv: readonly string[];
  /** Safeguards that this engine does not know. */
  readonly notes: readonly string[];
}

export const must = (...words: string[]): Flag => ({ words, absent: 'refuse' });
export const should = (...words: string[]): Flag => ({ words, absent: 'note' });
export const may = (...words: string[]): Flag => ({ words, absent: 'fine' });

export const chooseFlags = (flags: readonly Flag[], { knownFlags, executable }: EnginePresent): Chosen | Cause => {
  const known = knownFlags === null ? null : new Set(knownFlags);
  const argv: string[] = [];
  const notes: string[] = [];
  for (const { words, absent } of flags) {
    const [name = ''] = words;
    if (known === null || known.has(name)) argv.push(...words);
    else if (absent === 'refuse') return incompatible(name, executable);
    else if (absent === 'note') notes.push(`this ${basename(executable)} does not know ${name}; it was not passed`);
  }
  return { argv, notes };
};

const incompatible = (flag: string, executable: string): Cause => ({
  code: 'engine_incompatible',
  message: `expected an engine that knows ${flag}, found ${executable} without it; install another version`,
  details: { flag },
});
