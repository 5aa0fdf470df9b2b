/** What this program runs as. Where its own files are and how it starts itself follow from that. */
import { isSea } from 'node:sea';

/** `sources`: TypeScript in a checkout; `package`: scripts made for npm, in one folder; `executable`: Node and all of it in one file. */
export type Form = 'sources' | 'package' | 'executable';

export const form: Form = isSea() ? 'executable' : globalThis.poolManagerdBuild === undefined ? 'sources' : 'package';
