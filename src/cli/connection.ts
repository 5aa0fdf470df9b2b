/** Where the daemon is and with which token it is spoken to, from options and environment. Reads the token file; calls nobody. */
import { readFileSync } from 'node:fs';
import { createSecureContext } from 'node:tls';
import { isLoopbackHost } from '../loopback.ts';
import { createTlsFetch, type Fetch } from '../os/tls-fetch.ts';
import { CliError, exitCodes } from './exit.ts';

export interface ConnectionOptions {
  readonly url?: string;
  readonly tokenFile?: string;
  readonly allowPlainHttp?: boolean;
  readonly ca?: string;
  readonly cert?: string;
  readonly key?: string;
}

export interface Connection {
  readonly url: string;
  readonly token: string | null;
  readonly fetch: Fetch;
}

const longestTokenBytes = 8192;

export const connectionFrom = (options: ConnectionOptions, env: Readonly<Record<string, string | undefined>>): Connection => {
  const url = options.url ?? urlOfBindAddress(env['POOL_MANAGERD_BIND_ADDR'] ?? env['POOL_MANAGERD_ADDR'], env['POOL_MANAGERD_TLS_CERT']);
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
  return { url, token, fetch: fetchWith(options, env) };
};

/** Node's own, unless an authority or a certificate is named. */
const fetchWith = (options: ConnectionOptions, env: Readonly<Record<string, string | undefined>>): Fetch => {
  const ca = options.ca ?? (env['POOL_MANAGERD_TLS_CA'] || undefined);
  if (ca === undefined && options.cert === undefined && options.key === undefined) return fetch;
  if ((options.cert === undefined) !== (options.key === undefined))
    throw new CliError('--cert: expected it together with --key, found one of them', exitCodes.usage);
  const files = Object.entries({ ca, cert: options.cert, key: options.key }).flatMap(([name, file]) =>
    file === undefined ? [] : [[name, readText(file, `--${name}`)] as const],
  );
  try {
    const context = createSecureContext({ minVersion: 'TLSv1.2', ...Object.fromEntries(files) });
    return createTlsFetch(() => context);
  } catch (thrown) {
    throw new CliError(
      `--ca, --cert, --key: expected PEM files that belong together, found others (${thrown instanceof Error ? thrown.message : String(thrown)})`,
      exitCodes.usage,
    );
  }
};

/** The daemon listens there; a wildcard address is reached over loopback. */
const urlOfBindAddress = (address: string | undefined, certificate: string | undefined): string => {
  const scheme = certificate ? 'https' : 'http';
  if (address === undefined || address === '') return `${scheme}://127.0.0.1:9200`;
  return `${scheme}://${address.replace(/^0\.0\.0\.0(?=:)/, '127.0.0.1').replace(/^\[::\](?=:)/, '[::1]')}`;
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
    throw new CliError(`${setting}: cannot read ${file}: ${thrown instanceof Error ? thrown.message : String(thrown)}`, exitCodes.usage);
  }
};
