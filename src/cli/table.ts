/** Plain tables for people: columns as wide as their longest cell, two spaces apart, coloured only on request. */

export interface Column<Row> {
  readonly head: string;
  readonly cell: (row: Row) => string;
  /** ANSI colour of the cell; null: none. */
  readonly colour?: (row: Row) => Colour | null;
}

export type Colour = 'green' | 'yellow' | 'red' | 'dim';

const codes: Record<Colour, number> = { green: 32, yellow: 33, red: 31, dim: 2 };

export const table = <Row>(rows: readonly Row[], columns: readonly Column<Row>[], colour: boolean): string[] => {
  const cells = rows.map((row) => columns.map((column) => printable(column.cell(row))));
  const widths = columns.map((column, at) => Math.max(column.head.length, ...cells.map((line) => line[at]?.length ?? 0)));
  const pad = (text: string, at: number) => (at === columns.length - 1 ? text : text.padEnd(widths[at] ?? 0));
  return [
    columns.map((column, at) => pad(column.head, at)).join('  '),
    ...rows.map((row, line) =>
      columns
        .map((column, at) => paint(pad(cells[line]?.[at] ?? '', at), colour ? (column.colour?.(row) ?? null) : null))
        .join('  ')
        .trimEnd(),
    ),
  ];
};

export const paint = (text: string, colour: Colour | null): string => (colour === null ? text : `\u001b[${codes[colour]}m${text}\u001b[0m`);

/** What others wrote must not steer the terminal. */
export const printable = (text: string): string => text.replace(/[^\P{Cc}\t]/gu, '');
