/**
 * What a terminal shows, as a picture: each piece of text where the terminal has it, in its colour. Pure.
 *
 * A piece is given its width, so that columns stand below each other whatever monospaced font the reader has.
 */

interface Piece {
  readonly column: number;
  readonly text: string;
  readonly colour: string | null;
}

const cell = { width: 7.2, height: 18 };
const margin = 14;
const fontSize = 12;

/** Codes of `src/cli/table.ts`. */
const colours: Readonly<Record<string, string>> = { '32': 'green', '33': 'yellow', '31': 'red', '2': 'dim' };

const style = [
  'rect{fill:#16191d}',
  `text{font:${fontSize}px ui-monospace,SFMono-Regular,Menlo,Consolas,"DejaVu Sans Mono",monospace;fill:#e4e7eb;white-space:pre}`,
  '.prompt{fill:#8b949e}',
  '.green{fill:#7ee787}',
  '.yellow{fill:#f2cc60}',
  '.red{fill:#ff8a80}',
  '.dim{fill:#8b949e}',
].join('');

/** `command` is shown as it was typed; null: the whole screen is the program's. */
export const drawTerminal = (title: string, command: string | null, lines: readonly string[]): string => {
  const rows = [
    ...(command === null
      ? []
      : [
          [
            { column: 0, text: '$', colour: 'prompt' },
            { column: 2, text: command, colour: null },
          ],
        ]),
    ...lines.map(piecesOf),
  ];
  const columns = Math.max(...rows.flat().map(({ column, text }) => column + text.length));
  const [width, height] = [Math.ceil(columns * cell.width + 2 * margin), rows.length * cell.height + 2 * margin];
  const texts = rows.flatMap((pieces, row) => pieces.map((piece) => drawPiece(piece, row)));
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}" role="img">`,
    `<title>${escaped(title)}</title>`,
    `<style>${style}</style>`,
    `<rect width="${width}" height="${height}" rx="8"/>`,
    ...texts,
    '</svg>',
    '',
  ].join('\n');
};

const drawPiece = ({ column, text, colour }: Piece, row: number): string => {
  const [x, y] = [rounded(margin + column * cell.width), rounded(margin + row * cell.height + fontSize)];
  const named = colour === null ? '' : ` class="${colour}"`;
  return `<text x="${x}" y="${y}" textLength="${rounded(text.length * cell.width)}" lengthAdjust="spacingAndGlyphs"${named}>${escaped(text)}</text>`;
};

/** Cut at changes of colour and at wide gaps. */
const piecesOf = (line: string): readonly Piece[] => {
  const pieces: Piece[] = [];
  let column = 0;
  let colour: string | null = null;
  for (const [at, part] of line.split('\u001b[').entries()) {
    const [, code = '', text = ''] = at === 0 ? ['', '', part] : (/^(\d*)m(.*)$/.exec(part) ?? []);
    if (at > 0) colour = colours[code] ?? null;
    for (const found of text.matchAll(/\S+(?: \S+)*/g)) pieces.push({ column: column + found.index, text: found[0], colour });
    column += text.length;
  }
  return pieces;
};

const rounded = (value: number): string => String(Math.round(value * 10) / 10);

const escaped = (text: string): string => text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
