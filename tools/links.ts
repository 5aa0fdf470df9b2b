/**
 * Finds links in Markdown that lead nowhere: files that are not there, headings that no page has. Offline; addresses on the web
 * are not asked.
 */
import { existsSync, globSync, readFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';

/** One line per broken link below `root`: file, line, what it points at and what is missing. */
export const brokenLinks = (root: string): string[] =>
  globSync('**/*.md', { cwd: root, exclude: ['**/node_modules', '.git', 'coverage', 'dist'] })
    .sort()
    .flatMap((file) => linksIn(readFileSync(join(root, file), 'utf8')).flatMap((link) => complaint(root, file, link)));

interface Link {
  readonly line: number;
  readonly target: string;
}

const linksIn = (text: string): Link[] =>
  proseOf(text)
    .split('\n')
    .flatMap((row, index) =>
      [...row.matchAll(/\]\(<?([^)\s>]+)>?(?:\s+"[^"]*")?\)|(?:href|src)="([^"]+)"|^\[[^\]]+\]:\s+(\S+)/g)].map(([, ...targets]) => ({
        line: index + 1,
        target: targets.find((target) => target !== undefined) ?? '',
      })),
    );

/** Without code, in which brackets are no links; lines keep their numbers. */
const proseOf = (text: string): string =>
  text.replaceAll(/^(```|~~~).*?^\1/gms, (block) => block.replaceAll(/[^\n]/g, '')).replaceAll(/(`+)(?!`)[^\n]*?[^`]\1(?!`)/g, 'code');

const complaint = (root: string, file: string, { line, target }: Link): string[] => {
  if (/^[a-z][a-z0-9+.-]*:/i.test(target)) return [];
  const [path = '', anchor = ''] = decodeURIComponent(target).split('#');
  const goal = path === '' ? join(root, file) : resolve(root, dirname(file), path);
  const said = `${file}:${line}: ${target}`;
  if (relative(root, goal).startsWith('..')) return [`${said} leaves the project`];
  if (!existsSync(goal)) return [`${said} does not exist`];
  if (anchor === '' || !goal.endsWith('.md')) return [];
  return anchorsOf(readFileSync(goal, 'utf8')).has(anchor) ? [] : [`${said}: no such heading there`];
};

/** Headings as GitHub makes anchors of them: lower case, marks dropped, spaces to dashes, `-1` for the second of a name. */
const anchorsOf = (text: string): Set<string> => {
  const anchors = new Set<string>();
  const headings = text.replaceAll(/^(```|~~~).*?^\1/gms, '').matchAll(/^#{1,6}\s+(.+?)\s*#*$/gm);
  for (const [, heading = ''] of headings) {
    const words = heading.replaceAll(/\[([^\]]*)\]\([^)]*\)/g, '$1').toLowerCase();
    const slug = words.replaceAll(/[^\p{L}\p{N}\s_-]/gu, '').replaceAll(/\s/g, '-');
    const taken = [...anchors].filter((other) => other === slug || new RegExp(`^${RegExp.escape(slug)}-\\d+$`).test(other)).length;
    anchors.add(taken === 0 ? slug : `${slug}-${taken}`);
  }
  return anchors;
};
