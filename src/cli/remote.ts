/** Turns the action of a command that talks to the daemon into one that gets a session: address, token, output. */
import { type Command, Option } from 'commander';
import { createApi } from './api.ts';
import { connectionFrom } from './connection.ts';
import type { CliContext, Session } from './context.ts';

/** Options that every command talking to the daemon understands, before or after its name. */
export const addRemoteOptions = (command: Command): Command =>
  command
    .addOption(new Option('--url <url>', 'address of the daemon (default: POOL_MANAGERD_BIND_ADDR or http://127.0.0.1:9200)'))
    .addOption(new Option('--token-file <file>', 'file with the API token (default: LLORCH_API_TOKEN or LLORCH_API_TOKEN_FILE)'))
    .addOption(new Option('--ca <file>', 'authorities (PEM) to believe of an https address (default: POOL_MANAGERD_TLS_CA)'))
    .addOption(new Option('--cert <file>', 'certificate (PEM) to show to the daemon, with --key'))
    .addOption(new Option('--key <file>', 'key (PEM) of that certificate'))
    .addOption(new Option('--json', 'print what the daemon answered'))
    .addOption(new Option('--allow-plain-http', 'send the token over http to another machine').hideHelp());

export interface RemoteOptions {
  readonly url?: string;
  readonly tokenFile?: string;
  readonly ca?: string;
  readonly cert?: string;
  readonly key?: string;
  readonly json?: boolean;
  readonly allowPlainHttp?: boolean;
}

export const openSession = (context: CliContext, options: RemoteOptions, signal: AbortSignal): Session => {
  const tty = context.stdout.isTTY === true;
  return {
    api: createApi(connectionFrom(options, context.env)),
    json: options.json === true,
    colour: tty && !context.env['NO_COLOR'],
    tty,
    signal,
    print: (line) => {
      context.stdout.write(`${line}\n`);
    },
    note: (line) => {
      context.stderr.write(`${line}\n`);
    },
  };
};

export const printJson = (session: Session, value: unknown): void => session.print(JSON.stringify(value, null, 2));
