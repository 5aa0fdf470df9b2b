/**
 * What engines really wrote when they ended: `test/fixtures/exits/<engine>/<name>.txt`. Four lines say where a sample is from, how
 * the engine ended, which reason is expected and what tells it (`-`: nothing does); the rest is its output.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { EngineExit } from '../../src/machines/vocabulary.ts';

export interface ExitSample {
  /** `vllm/port-taken` */
  readonly name: string;
  readonly engine: string;
  readonly from: string;
  readonly exit: EngineExit;
  readonly reason: string;
  readonly telling: string | null;
  readonly output: readonly string[];
}

const folder = join(import.meta.dirname, '../fixtures/exits');

export const exitSamples = (): readonly ExitSample[] =>
  readdirSync(folder).flatMap((engine) => readdirSync(join(folder, engine)).map((file) => read(engine, file)));

const read = (engine: string, file: string): ExitSample => {
  const [from = '', exit = '', reason = '', telling = '', ...output] = readFileSync(join(folder, engine, file), 'utf8')
    .trimEnd()
    .split('\n');
  return {
    name: `${engine}/${file.replace(/\.txt$/, '')}`,
    engine,
    from: headed('from', from),
    exit: exitOf(headed('exit', exit)),
    reason: headed('reason', reason),
    telling: telling === '# telling: -' ? null : headed('telling', telling),
    output,
  };
};

const headed = (name: string, line: string): string => {
  if (!line.startsWith(`# ${name}: `)) throw new Error(`expected "# ${name}: …", found ${JSON.stringify(line)}`);
  return line.slice(`# ${name}: `.length);
};

const exitOf = (text: string): EngineExit => {
  if (text === 'unknown') return { code: null, signal: null };
  const [kind, value = ''] = text.split(' ');
  return kind === 'signal' ? { code: null, signal: value } : { code: Number(value), signal: null };
};
