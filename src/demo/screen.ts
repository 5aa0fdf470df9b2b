/** A page of a terminal that is drawn over and over. Its undo gives the terminal back as it was. */

export interface Screen {
  readonly rows: () => number;
  /** Lines too long or too many are cut at the edge. */
  readonly draw: (lines: readonly string[]) => void;
  readonly close: () => void;
}

interface Terminal {
  readonly rows?: number;
  readonly write: (text: string) => unknown;
}

const csi = '\u001b';
const enter = `${csi}[?1049h${csi}[?7l${csi}[?25l`;
const leave = `${csi}[?25h${csi}[?7h${csi}[?1049l`;
const home = `${csi}[H`;
const clearToEndOfLine = `${csi}[K`;
const clearBelow = `${csi}[J`;
const usualRows = 24;

export const openScreen = (terminal: Terminal): Screen => {
  let open = true;
  const close = (): void => {
    if (open) terminal.write(leave);
    open = false;
    process.off('exit', close);
  };
  process.on('exit', close);
  terminal.write(enter);
  const rows = (): number => terminal.rows ?? usualRows;
  return {
    rows,
    draw: (lines) => {
      const page = lines.slice(0, rows()).map((line) => `${line}${clearToEndOfLine}`);
      terminal.write(`${home}${page.join('\r\n')}${clearBelow}`);
    },
    close,
  };
};
