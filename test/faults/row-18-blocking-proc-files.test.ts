/** Files of `/proc` whose reading waits for a process that hangs, and signals that tell nothing: not in the code at all. */
import { expect, it } from 'vitest';
import { sourceFiles, sourceText } from '../kit/source-imports.ts';

const blocking = /['"`/](?:cmdline|environ|maps|smaps)['"`]|\/proc\/[^\s'"`]*\/(?:cmdline|environ|maps|smaps)\b/;
const signalZero = /\bkill\([^()]*,\s*0\s*\)/;

/** What is said in comments is no read. */
const code = (file: string): string => sourceText(file).replaceAll(/\/\*[\s\S]*?\*\/|\/\/.*$/gm, '');

it('no source reads cmdline, environ or maps of a process (row 18)', () => {
  expect(sourceFiles.length).toBeGreaterThan(100);
  expect(sourceFiles.filter((file) => blocking.test(code(file)))).toEqual([]);
});

it('no source asks by signal 0 whether a process lives (row 17)', () => {
  expect(sourceFiles.filter((file) => signalZero.test(code(file)))).toEqual([]);
});

it.each([
  ["readFile(`/proc/4711/cmdline`, 'utf8')", blocking],
  ["join('/proc', pid, 'environ')", blocking],
  ['process.kill(pid, 0)', signalZero],
])('%s would be found', (line, rule) => {
  expect(rule.test(line)).toBe(true);
});
