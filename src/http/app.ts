/**
 * The API as a whole: gate, routes, and what happens when none of them answers.
 *
 * Knows the daemon only by its ports. Starts nothing and listens nowhere: `serve` does.
 */
import { Hono } from 'hono';
import { assetsPath, dashboardRoutes, pagePaths } from './dashboard/routes.ts';
import type { AppEnv } from './env.ts';
import { createCredentialsCheck, passedWithout } from './gate/credentials.ts';
import { createGate, type Fetch } from './gate/gate.ts';
import { createHostRules } from './gate/hosts.ts';
import { describeRoutes, writeDocument } from './openapi/document.ts';
import { failed, nothingHere } from './otherwise.ts';
import type { AuthOptions, HttpLogger, InspectPort, JournalPort, LogsPort, MetricsPort, NodePort, ParsePoolSpec, RequestTracer } from './ports.ts';
import { createRouter } from './router.ts';
import { commandRoutes } from './routes/commands.ts';
import { descriptionRoutes } from './routes/description.ts';
import { historyRoutes } from './routes/history.ts';
import { liveRoutes } from './routes/live.ts';
import { nodeRoutes } from './routes/node.ts';
import { poolRoutes } from './routes/pools.ts';
import { metricsRoutes, vitalRoutes } from './routes/vital.ts';
import { createStreams, type StreamLimits, type Streams } from './streams.ts';

export interface AppDeps {
  readonly node: NodePort;
  readonly journal: JournalPort;
  readonly logs: LogsPort;
  readonly inspect: InspectPort;
  readonly metrics: MetricsPort;
  readonly auth: AuthOptions;
  readonly parsePoolSpec: ParsePoolSpec;
  readonly logger?: HttpLogger;
  readonly tracer?: RequestTracer | null;
  /** Other numbers for tests. */
  readonly streamLimits?: StreamLimits;
}

/** What `serve` needs of an app. */
export interface Served {
  readonly fetch: Fetch;
  /** Answers to a request that is so broken that no app sees it, and to what escapes the app. */
  readonly logger: HttpLogger | null;
  /** Ends what would never end by itself. */
  endStreams(): void;
}

/** What needs no token: signs of life, the description, and the dashboard's own files, which show nothing by themselves. */
export const isPublic = (path: string): boolean => publicPaths.has(path) || path.startsWith(assetsPath);

const publicPaths: ReadonlySet<string> = new Set([...pagePaths, '/health', '/ready', '/openapi.json', '/docs']);

export const createApp = (deps: AppDeps) => {
  const { node, auth, logger = null } = deps;
  const streams = createStreams(deps.streamLimits);
  const routes = createRoutes({ ...deps, streams });
  return {
    routes,
    streams,
    /** The OpenAPI document. */
    document: () => writeDocument(routes, node.version),
    logger,
    endStreams: () => streams.endAll(),
    fetch: createGate({
      hosts: createHostRules({ bind: auth.bind, names: [...auth.allowedHosts, node.node().node_id, node.node().host.hostname] }),
      credentials: createCredentialsCheck({ token: () => auth.token(), loopback: auth.bind.loopback, now: () => performance.now() }),
      isPublic,
      route: routes.fetch,
      logger,
      secret: () => auth.token(),
      tracer: deps.tracer ?? null,
    }),
  };
};

export type App = ReturnType<typeof createApp>;
/** For the typed client. */
export type AppType = ReturnType<typeof createRoutes>;

/** Prometheus text on its own port, without a token: `GET /metrics`, nothing else. */
export const createMetricsApp = (deps: {
  readonly metrics: MetricsPort;
  readonly bind: AuthOptions['bind'];
  readonly allowedHosts: readonly string[];
  readonly logger?: HttpLogger;
}): Served => {
  const { metrics, bind, allowedHosts, logger = null } = deps;
  const routes = metricsRoutes({ metrics });
  routes.notFound(nothingHere(routes));
  routes.onError(failed(logger));
  return {
    logger,
    endStreams: () => undefined,
    fetch: createGate({
      hosts: createHostRules({ bind, names: allowedHosts }),
      credentials: () => passedWithout,
      isPublic: () => true,
      route: routes.fetch,
      logger,
      secret: () => null,
      tracer: null,
    }),
  };
};

const createRoutes = (deps: AppDeps & { readonly streams: Streams }) => {
  const routes = new Hono<AppEnv>({ router: createRouter() })
    .route('/', vitalRoutes(deps))
    .route('/', metricsRoutes(deps))
    .route('/', poolRoutes(deps))
    .route('/', commandRoutes(deps))
    .route('/', historyRoutes(deps))
    .route('/', liveRoutes(deps))
    .route('/', nodeRoutes(deps))
    .route('/', dashboardRoutes());
  routes.route(
    '/',
    descriptionRoutes(() => writeDocument(routes, deps.node.version)),
  );
  describeRoutes(routes.routes);
  routes.notFound(nothingHere(routes));
  routes.onError(failed(deps.logger ?? null));
  return routes;
};
