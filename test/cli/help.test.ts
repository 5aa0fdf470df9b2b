/** `--help` of every command has examples, and each of them is a command line that the program takes. */
import type { Command } from 'commander';
import { describe, expect, it } from 'vitest';
import { createProgram } from '../../src/cli/program.ts';
import { readArguments } from '../../src/demo/options.ts';
import { runCommand } from '../kit/run-command.ts';
import { wordsOf } from '../kit/shell-words.ts';

/** Nobody listens there. */
const nowhere = { POOL_MANAGERD_BIND_ADDR: '127.0.0.1:1' };

const said: string[] = [];
const write = (text: string): boolean => said.push(text) > 0;
const program = (): Command =>
  createProgram(
    {
      env: {},
      stdout: process.stdout,
      stderr: process.stderr,
      version: '0',
      runServe: async () => 0,
      runDemo: async () => 0,
      config: { check: async () => [], schema: () => ({}), example: () => '' },
    },
    new AbortController().signal,
    { exitCode: 0 },
  );

const leavesOf = (command: Command, path: readonly string[] = []): readonly (readonly string[])[] =>
  command.commands.length === 0 ? [path] : command.commands.flatMap((child) => leavesOf(child, [...path, child.name()]));

const commands = leavesOf(program()).filter(([name]) => name !== 'completion-ids');

const examplesIn = (help: string): readonly string[] => {
  const [, block = ''] = /^Examples:\n((?: {2}.*\n)+)/m.exec(`${help}\n`) ?? [];
  return block
    .trimEnd()
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => line.trim().split(/ {2,}/)[0] ?? '');
};

const helpOf = async (path: readonly string[]): Promise<string> => {
  if (path[0] !== 'demo') return (await runCommand([...path, '--help'])).stdout;
  const { demoHelp } = await import('../../src/demo/options.ts');
  return demoHelp;
};

/** Everything but what commands do: options that are not known, arguments that are missing. Null: it is taken. */
const refusal = (words: readonly string[]): string | null => {
  const parser = program();
  const quiet = (command: Command): void => {
    command.exitOverride().configureOutput({ writeOut: write, writeErr: write });
    if (command.commands.length === 0) command.action(() => undefined);
    for (const child of command.commands) quiet(child);
  };
  for (const command of parser.commands) quiet(command);
  try {
    parser.parse([...words], { from: 'user' });
    return null;
  } catch (thrown) {
    return thrown instanceof Error ? thrown.message : String(thrown);
  }
};

describe('the examples of --help', () => {
  it.each(commands.map((path) => [path.join(' '), path] as const))('of %s are taken', async (name, path) => {
    const examples = examplesIn(await helpOf(path));
    expect(examples, `${name} has examples`).not.toEqual([]);
    for (const example of examples) {
      const words = wordsOf(example);
      expect(words.slice(0, path.length), example).toEqual(path);
      if (name === 'demo') expect(readArguments(words.slice(1)), example).toMatchObject({ kind: 'run' });
      else expect(refusal(words), example).toBeNull();
    }
  });

  it('in general are taken', async () => {
    const examples = examplesIn(await helpOf([]));
    expect(examples.length).toBeGreaterThan(10);
    for (const example of examples) expect(refusal(wordsOf(example)), example).toBeNull();
  });

  it('that speak to a daemon have values that are taken too: they fail only for want of one', async () => {
    const remote = program()
      .commands.filter((command) => command.options.some(({ long }) => long === '--url'))
      .map((command) => command.name());
    expect(remote.length).toBeGreaterThan(10);
    const examples = (await Promise.all(remote.map((name) => helpOf([name])))).flatMap(examplesIn).map(wordsOf);
    const own = examples.filter((words) => !words.includes('--url') && words[0] !== 'declare' && !words.includes('--watch'));
    for (const words of own) expect(await runCommand(words, { env: nowhere }), words.join(' ')).toMatchObject({ exitCode: 69 });
  });

  it('would be refused with an option that there is not', () => {
    expect(refusal(['drain', 'chat', '--soon'])).toContain("unknown option '--soon'");
    expect(refusal(['drain'])).toContain("missing required argument 'id'");
    expect(refusal(['completion', 'tcsh'])).toContain('bash, zsh, fish');
    expect(refusal(['config', 'chek', 'x'])).toContain('unknown command');
  });
});
