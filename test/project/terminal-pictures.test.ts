/** The pictures of the terminal are what the commands print now, in their colours. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { drawTerminal } from '../../tools/terminal/draw.ts';
import { terminalPictures } from '../../tools/terminal/scenes.ts';

const folder = join(import.meta.dirname, '../../docs/pictures');

it('are those in docs/pictures', async () => {
  const drawn = await terminalPictures();
  expect([...drawn.keys()]).toEqual(['status', 'pools', 'gpus', 'pool', 'pool-failed', 'demo'].map((name) => `terminal-${name}.svg`));
  for (const [name, picture] of drawn) expect(await readFile(join(folder, name), 'utf8'), `${name} is stale: npm run generate`).toBe(picture);
  expect(drawn.get('terminal-status.svg')).toMatch(/class="green">ready\.healthy</);
  expect(drawn.get('terminal-pool-failed.svg')).toMatch(/class="red">offline for 1m, backingOff</);
});

it('have each piece of text at its column, and nothing of the terminal’s own', () => {
  const picture = drawTerminal('a & b', 'cat x', ['one  \u001b[32mgreen <1>\u001b[0m  end', '']);
  expect(picture).toContain('<title>a &amp; b</title>');
  const texts = [...picture.matchAll(/<text x="([\d.]+)"[^>]*?(?: class="(\w+)")?>([^<]*)</g)].map(([, x, colour, text]) => [
    Number(x),
    colour,
    text,
  ]);
  expect(texts).toEqual([
    [14, 'prompt', '$'],
    [28.4, undefined, 'cat x'],
    [14, undefined, 'one'],
    [50, 'green', 'green &lt;1&gt;'],
    [129.2, undefined, 'end'],
  ]);
  expect(picture).not.toContain('\u001b');
});
