/** Tables under steps, as far as these steps read them: the package's own types do not resolve under Node's rules. */
export interface Table {
  raw(): readonly (readonly [string, ...string[]])[];
  rowsHash(): Readonly<Record<string, string>>;
}

/** Two columns. A cell is JSON where it can be, else text. */
export const valuesOf = (table: Table): Record<string, unknown> =>
  Object.fromEntries(Object.entries(table.rowsHash()).map(([key, cell]) => [key, meant(cell)]));

const meant = (cell: string): unknown => {
  try {
    return JSON.parse(cell);
  } catch {
    return cell;
  }
};
