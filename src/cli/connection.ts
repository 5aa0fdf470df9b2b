/** Where the daemon is and with which token it is spoken to, from options and environment. Reads the token file; calls nobody. */
import { readFileSync } from 'node:fs';
import { isLoopbackHost } from '../loopback.ts';
import { CliError, exitCodes } from './exit.ts';

export interface ConnectionOptions {
  readonly url?: string;
  readonly tokenFile?: string;
  readonly allowPlainHttp?: boolean;
}

export interface Connection {
  readonly url: string;
  readonly token: string | null;
}

const longestTokenBytes = 8192;

export const connectionFrom = (options: ConnectionOptions, env: Readonly<Record<string, string | undefined>>): Connection => {
  const url = options.url ?? urlOfBindAddress(env['POOL_MANAGERD_BIND_ADDR'] ?? env['POOL_MANAGERD_ADDR']);
  if (!URL.canParse(url) || !/^https?:$/.test(new URL(url).protocol)) {
    throw new CliError(`--url: expected an address such as http://127.0.0.1:9200, found "${url}"`, exitCodes.usage);
  }
  const token = tokenFrom(options.tokenFile, env);
  const { protocol, hostname } = new URL(url);
  if (token !== null && protocol === 'http:' && !isLoopbackHost(hostname) && options.allowPlainHttp !== true) {
    throw new CliError(
      `--url: ${hostname} is another machine and plain http would show the token to the network; use https, a tunnel, or --allow-plain-http`,
      exitCodes.usage,
    );
  }
  return { url, token };
};

/** The daemon listens there; a wildcard address is reached over loopback. */
const urlOfBindAddress = (address: string | undefined): string => {
  if (address === undefined || address === '') return 'http://127.0.0.1:9200';
  return `http://${address.replace(/^0\.0\.0\.0(?=:)/, '127.0.0.1').replace(/^\[::\](?=:)/, '[::1]')}`;
};

const tokenFrom = (option: string | undefined, env: Readonly<Record<string, string | undefined>>): string | null => {
  if (option !== undefined) return readToken(option, '--token-file');
  if (env['LLORCH_API_TOKEN']) return env['LLORCH_API_TOKEN'];
  if (env['LLORCH_API_TOKEN_FILE']) return readToken(env['LLORCH_API_TOKEN_FILE'], 'LLORCH_API_TOKEN_FILE');
  return null;
};

const readToken = (file: string, setting: string): string => {
  const token = readText(file, setting).trim();
  if (token === '' || token.length > longestTokenBytes || /\s/.test(token)) {
    throw new CliError(`${setting}: expected one token of at most ${longestTokenBytes} bytes in ${file}, found something else`, exitCodes.usage);
  }
  return token;
};

const readText = (file: string, setting: string): string => {
  try {
    return readFileSync(file, 'utf8');
  } catch (thrown) {
    throw new CliError(`${setting}: cannot read the token: ${thrown instanceof Error ? thrown.message : String(thrown)}`, exitCodes.usage);
  }
};
