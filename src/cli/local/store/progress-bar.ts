/** How a fetch goes, for a person: one line that changes on a terminal, a line per phase elsewhere. To standard error. */
import type { Passenger } from '../../../provisioning/store/flights.ts';
import type { CliContext } from '../../context.ts';
import { progressLine } from '../../progress-line.ts';
import { printable } from '../../table.ts';

const width = 24;

export const progressBar = ({ stderr, signal }: CliContext, tty: boolean, what: string): Passenger & { readonly done: () => void } => {
  let phase = '';
  let began: { readonly ms: number; readonly bytes: number } | null = null;
  const say = (line: string): void => void stderr.write(tty ? `\r\u001b[K${printable(line)}` : `${printable(line)}\n`);
  return {
    signal: signal ?? new AbortController().signal,
    report: {
      phase: (next) => {
        if (next === phase) return;
        phase = next;
        began = null;
        say(`${what}: ${phase}`);
      },
      progress: (done, total) => {
        if (!tty) return;
        const now = performance.now();
        began ??= { ms: now, bytes: done };
        const rate = now - began.ms < 500 ? null : Math.round(((done - began.bytes) / (now - began.ms)) * 1000);
        const filled = total === null || total === 0 ? 0 : Math.round((done / total) * width);
        const bar = total === null ? '' : `[${'#'.repeat(filled)}${' '.repeat(width - filled)}] `;
        say(`${bar}${progressLine({ step: phase, done_bytes: done, total_bytes: total, bytes_per_second: rate })}`);
      },
    },
    done: () => void (tty && stderr.write('\r\u001b[K')),
  };
};
