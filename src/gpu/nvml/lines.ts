/** Lines out of the pieces in which they come through a pipe. One that is too long is told as null, as soon as it is; nothing after it. */
import { StringDecoder } from 'node:string_decoder';
import { longestLine } from './protocol.ts';

export const lineReader = (heard: (line: string | null) => void): ((piece: Buffer) => void) => {
  const decoder = new StringDecoder('utf8');
  let rest = '';
  let over = false;
  return (piece) => {
    if (over) return;
    const lines = (rest + decoder.write(piece)).split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines) heard(line.length > longestLine ? null : line);
    over = rest.length > longestLine;
    if (over) heard(null);
  };
};
