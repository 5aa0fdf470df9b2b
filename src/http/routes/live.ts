/** What goes on right now, as streams: the views of the node as they change, and the charts at work. */
import { Hono } from 'hono';
import type { AppEnv } from '../env.ts';
import { createLiveFeed } from '../live-feed.ts';
import type { HttpLogger, InspectPort, NodePort } from '../ports.ts';
import { resumeId } from '../resume-id.ts';
import type { Streams } from '../streams.ts';

export interface LiveRoutesOptions {
  readonly node: NodePort;
  readonly inspect: InspectPort;
  readonly streams: Streams;
  readonly logger?: HttpLogger;
}

export const liveRoutes = ({ node, inspect, streams, logger }: LiveRoutesOptions) => {
  const views = createLiveFeed({ node, onFailure: (thrown) => logger?.error({ err: thrown }, 'the views for the dashboard could not be read') });
  return new Hono<AppEnv>()
    .get('/v2/live', (c) => streams.open(c.env, resumeId(c.req.header('last-event-id')), views))
    .get('/v2/inspect', (c) =>
      streams.open(c.env, resumeId(c.req.header('last-event-id')), (after, listener) =>
        inspect.follow(after, (message) => listener({ id: message.id, event: message.type, data: message })),
      ),
    );
};
