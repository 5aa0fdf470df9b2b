/** A program in a terminal of its own, by `script`: what is typed at it, and what it shows. */
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { stripVTControlCharacters } from 'node:util';

const script = '/usr/bin/script';
export const hasTerminals = existsSync(script);

export interface Terminal {
  readonly type: (text: string) => void;
  /** All that was shown, without what only moves and colours. */
  readonly shown: () => string;
  /** Ends it as a terminal that is closed does; resolves when it has ended. */
  readonly close: () => Promise<void>;
}

export const openTerminal = (command: string, env: Readonly<Record<string, string>>): Terminal => {
  const child = spawn(script, ['-qec', `stty rows 40 cols 140; exec ${command}`, '/dev/null'], {
    env: { ...env },
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  let output = '';
  child.stdout.on('data', (piece: Buffer) => (output += piece.toString('utf8')));
  const ended = new Promise<void>((resolve) => child.once('close', () => resolve()));
  return {
    type: (text) => child.stdin.write(text),
    shown: () => stripVTControlCharacters(output),
    close: () => {
      // With its master gone the terminal hangs up on whoever is in it.
      child.kill('SIGKILL');
      return ended;
    },
  };
};
