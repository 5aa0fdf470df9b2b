/** Findings as a table: for the terminal in columns, for the document in Markdown. Pure. */
import { shown } from './numbers.ts';
import { aimText, type Finding, ratioOf, verdictOf } from './row.ts';

export const heads = ['what', 'aim', 'figure', 'against', 'ratio', 'verdict'] as const;

export const cellsOf = (finding: Finding): readonly string[] => {
  const { what, figure, unit, against } = finding;
  const ratio = ratioOf(finding);
  return [
    what,
    aimText(finding) || '–',
    `${shown(figure)} ${unit}`,
    against === null ? '–' : `${shown(against.figure)} ${unit} (${against.what})`,
    ratio === null ? '–' : `${shown(ratio)} ×`,
    verdictOf(finding),
  ];
};

export const inColumns = (rows: readonly (readonly string[])[]): string => {
  const all = [heads as readonly string[], ...rows];
  const widths = heads.map((_, at) => Math.max(...all.map((row) => row[at]?.length ?? 0)));
  return all
    .map((row) =>
      row
        .map((cell, at) => cell.padEnd(widths[at] ?? 0))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
};

export const inMarkdown = (rows: readonly (readonly string[])[]): string =>
  [heads as readonly string[], heads.map(() => '---'), ...rows].map((row) => `| ${row.join(' | ')} |`).join('\n');
