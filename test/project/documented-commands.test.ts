/** Every command line in the pages is one that there is. */
import { describe, expect, it } from 'vitest';
import { commandLines, pages } from '../kit/documents.ts';
import { runCommand } from '../kit/run-command.ts';

const helps = new Map<string, string>();
const helpOf = async (command: readonly string[]): Promise<string> => {
  const name = command.join(' ');
  const known = helps.get(name) ?? (await runCommand([...command, '--help'])).stdout;
  helps.set(name, known);
  return known;
};

/** Of systemd's, or with a help of its own. */
const elsewhere = ['demo', 'engine-exec', 'nvml-probe'];

describe('A command in the pages', () => {
  it.each(pages)('of %s is known, with each of its options', async (page) => {
    const main = await helpOf([]);
    const subcommands = [...main.matchAll(/^ {2}([a-z]+)/gm)].map(([, name = '']) => name);
    for (const words of commandLines(page)) {
      const [name = '', second = ''] = words;
      if (name.startsWith('-')) {
        expect(main, words.join(' ')).toContain(name);
        continue;
      }
      // `install dist/pool-managerd /usr/bin/…` runs nothing.
      if (elsewhere.includes(name) || name.startsWith('/')) continue;
      expect(subcommands, words.join(' ')).toContain(name);
      const help = await helpOf(name === 'config' ? [name, second] : [name]);
      for (const option of words.filter((word) => /^--?[a-z]/.test(word)))
        expect(help, words.join(' ')).toMatch(new RegExp(`(^|[\\s,])${option}\\b`));
    }
  });

  it('is looked for and found', () => {
    expect(pages.flatMap(commandLines).length).toBeGreaterThan(50);
  });
});
