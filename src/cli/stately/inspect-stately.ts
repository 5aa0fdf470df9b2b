/**
 * `inspect --stately`: the charts of a daemon in Stately's viewer. A relay on loopback serves the page that holds the viewer, which
 * comes from the network; what the daemon tells goes to that page and from there to the viewer, and nowhere else.
 */
import { charts } from '../../machines/charts.ts';
import type { Session } from '../context.ts';
import { dataOf } from '../event-data.ts';
import { CliError, exitCodes } from '../exit.ts';
import { follow } from '../sse.ts';
import { openBrowser } from './open-browser.ts';
import { openRelay } from './relay.ts';
import { createTranslator, messageSchema } from './translate.ts';

export interface StatelyOptions {
  readonly port: number;
  readonly viewer: string;
  readonly open: boolean;
  readonly env: Readonly<Record<string, string | undefined>>;
}

export const inspectInStately = async (session: Session, { port, viewer, open, env }: StatelyOptions): Promise<void> => {
  const { api, signal, note, print } = session;
  const offline = `${new URL(api.url).origin}/statecharts`;
  const relay = await openRelay({ port, viewer: viewerAt(viewer), offline }).catch((thrown: unknown) => {
    throw new CliError(`--port: cannot listen at 127.0.0.1:${port}: ${thrown instanceof Error ? thrown.message : String(thrown)}`, exitCodes.usage);
  });
  try {
    print(relay.url);
    const opened = open && (await openBrowser(relay.url, env));
    note(`${opened ? 'opened' : 'open that'} in a browser of this machine; it shows ${viewer}, which needs a network. Without one: ${offline}`);
    let translate = createTranslator(charts);
    await follow(api, { question: (client) => client.v2.inspect.$get(), lastEventId: null, signal, note }, (received) => {
      const message = dataOf(received, messageSchema);
      if (message?.type === 'reset') {
        translate = createTranslator(charts);
        relay.reset();
      } else if (message !== null) for (const told of translate(message)) relay.tell(told);
    });
  } finally {
    await relay.close();
  }
};

const viewerAt = (text: string): URL => {
  if (URL.canParse(text) && /^https?:$/.test(new URL(text).protocol)) return new URL(text);
  throw new CliError(`--viewer: expected an address such as https://stately.ai/inspect, found "${text}"`, exitCodes.usage);
};
