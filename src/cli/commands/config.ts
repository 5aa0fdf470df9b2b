/** `config check FILE | schema | example`: the pools file, without a daemon. */
import type { CliContext } from '../context.ts';
import { CliError, exitCodes } from '../exit.ts';

export const configCheck = async ({ config, stdout }: CliContext, file: string): Promise<void> => {
  const mistakes = await readMistakes(config.check, file);
  if (mistakes.length > 0) throw new CliError(mistakes.join('\n'), exitCodes.configuration);
  stdout.write('ok\n');
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
