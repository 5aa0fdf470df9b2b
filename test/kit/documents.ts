/** What the pages for people hold: files of Markdown, their fenced blocks, and the command lines in them. */
import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

const root = join(import.meta.dirname, '..', '..');

/** Written for people; generated tables of tests and old decisions are not. */
export const pages: readonly string[] = ['README.md', ...globSync('docs/*.md', { cwd: root }).sort()].filter(
  (page) => !/(faults|requirements|security)\.md$/.test(page),
);

export interface Block {
  readonly page: string;
  /** After the fence, such as `sh run`. */
  readonly info: string;
  readonly text: string;
}

export const blocksIn = (page: string): readonly Block[] =>
  [...readFileSync(join(root, page), 'utf8').matchAll(/^```([^\n]*)\n(.*?)^```/gms)].map(([, info = '', text = '']) => ({
    page,
    info: info.trim(),
    text,
  }));

/** `pool-managerd …`, in blocks and in `code`; the program left out. */
export const commandLines = (page: string): readonly (readonly string[])[] => {
  const text = readFileSync(join(root, page), 'utf8');
  const spans = [...text.matchAll(/`((?:npx )?pool-managerd [^`\n]+)`/g)].map(([, span = '']) => span);
  const lines = blocksIn(page).flatMap((block) => (/^(sh|$)/.test(block.info) ? block.text.split('\n') : []));
  return [...spans, ...lines].flatMap((line) =>
    [...line.replace(/ #.*$/, '').matchAll(/(?:^|[\s(;/])pool-managerd ((?:[^|;&)>]|\\.)+)/g)].map(([, words = '']) => words.trim().split(/\s+/)),
  );
};
