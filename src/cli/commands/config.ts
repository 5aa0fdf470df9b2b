/** `config check [FILE] | schema | example`: the pools file, without a daemon. */
import { existsSync } from 'node:fs';
import type { CliContext } from '../context.ts';
import { CliError, exitCodes } from '../exit.ts';

/** `named` null: the file that the daemon would read, which is then told. */
export const configCheck = async (context: CliContext, named: string | null): Promise<void> => {
  const file = named ?? (await fileOfDaemon(context));
  const mistakes = await readMistakes(context.config.check, file);
  if (mistakes.length > 0) throw new CliError(mistakes.join('\n'), exitCodes.configuration);
  context.stdout.write(named === null ? `${file}: ok\n` : 'ok\n');
};

export const configSchema = ({ config, stdout }: CliContext): void => {
  stdout.write(`${JSON.stringify(config.schema(), null, 2)}\n`);
};

export const configExample = ({ config, stdout }: CliContext): void => {
  const text = config.example();
  stdout.write(text.endsWith('\n') ? text : `${text}\n`);
};

const readMistakes = async (check: CliContext['config']['check'], file: string): Promise<readonly string[]> => {
  try {
    return await check(file);
  } catch (thrown) {
    throw new CliError(`${file}: cannot be read: ${thrown instanceof Error ? thrown.message : String(thrown)}`, exitCodes.configuration);
  }
};

const fileOfDaemon = async (context: CliContext): Promise<string> => {
  const { judgeAround } = await import('../local/store/surroundings.ts');
  const { environment, bad, mistakes } = judgeAround(context, null);
  if (bad.has('POOL_MANAGERD_CONFIG')) throw new CliError(mistakes.join('\n'), exitCodes.configuration);
  const { file } = environment.poolsFile;
  if (existsSync(file)) return file;
  throw new CliError(
    `${file}: expected a pools file, found none; name it, in POOL_MANAGERD_CONFIG or as FILE, or have one written by "pool-managerd config example"`,
    exitCodes.configuration,
  );
};
