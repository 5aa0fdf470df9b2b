/** What holds between several variables. A rule speaks only where each variable it is about has a sound value. Pure. */
import { isLoopbackHost } from '../loopback.ts';
import { addressProblem } from '../orchestrator/target.ts';
import type { Environment } from './environment.ts';
import { tokenProblem } from './token-rules.ts';
import type { VariableName, Variables } from './variables.ts';

export interface Rule {
  readonly of: readonly VariableName[];
  /** Null: it holds. */
  readonly mistake: (values: Variables, environment: Environment) => string | null;
}

const bind = ['POOL_MANAGERD_BIND_ADDR', 'POOL_MANAGERD_ADDR'] as const;

export const rules: readonly Rule[] = [
  {
    of: ['LLORCH_API_TOKEN', 'LLORCH_API_TOKEN_FILE'],
    mistake: ({ LLORCH_API_TOKEN: value, LLORCH_API_TOKEN_FILE: file }) =>
      value === null || file === null ? null : 'LLORCH_API_TOKEN: expected this or LLORCH_API_TOKEN_FILE, found both; remove one',
  },
  {
    of: [...bind, 'LLORCH_API_TOKEN', 'LLORCH_API_TOKEN_FILE'],
    // What a file holds is judged when it is read.
    mistake: (_, { token, bind: { loopback } }) => {
      if (token.kind === 'value') return tokenProblem(token.value, 'LLORCH_API_TOKEN', loopback);
      return token.kind === 'none' ? tokenProblem(null, 'LLORCH_API_TOKEN', loopback) : null;
    },
  },
  { of: ['ORCHESTRATORD_URL', 'ORCHESTRATORD_ALLOW_PLAIN_HTTP'], mistake: (_, { orchestrator }) => orchestratorProblem(orchestrator) },
  {
    of: ['ORCHESTRATORD_URL', 'POOL_MANAGERD_GPU_SOURCE'],
    mistake: (_, { orchestrator, gpuSource }) =>
      orchestrator === null || gpuSource.kind !== 'simulated' || isLocal(orchestrator.url)
        ? null
        : `POOL_MANAGERD_GPU_SOURCE: expected real GPUs for an orchestratord on another machine (${hostOf(orchestrator.url)}), found simulated ones; unset one of the two`,
  },
  { of: [...bind, 'POOL_MANAGERD_ADDRESS', 'ORCHESTRATORD_URL'], mistake: (_, environment) => addressMissing(environment) },
  {
    of: ['POOL_MANAGERD_TLS_CERT', 'POOL_MANAGERD_TLS_KEY'],
    mistake: ({ POOL_MANAGERD_TLS_CERT: cert, POOL_MANAGERD_TLS_KEY: key }) => {
      if ((cert === null) === (key === null)) return null;
      const [there, missing] = cert === null ? ['KEY', 'CERT'] : ['CERT', 'KEY'];
      return `POOL_MANAGERD_TLS_${missing}: expected a path, since POOL_MANAGERD_TLS_${there} is set, found nothing`;
    },
  },
  {
    of: ['POOL_MANAGERD_TLS_CERT', 'POOL_MANAGERD_TLS_CLIENT_CA'],
    mistake: ({ POOL_MANAGERD_TLS_CERT: cert, POOL_MANAGERD_TLS_CLIENT_CA: clientCa }) =>
      cert === null && clientCa !== null
        ? 'POOL_MANAGERD_TLS_CLIENT_CA: expected POOL_MANAGERD_TLS_CERT and POOL_MANAGERD_TLS_KEY with it, since only a client over TLS can show a certificate, found neither'
        : null,
  },
  {
    of: ['PROMETHEUS_METRICS_PORT', 'POOL_MANAGERD_METRICS_ADDR', ...bind],
    mistake: (_, { metrics, bind: { host, port } }) =>
      metrics !== null && metrics.port === port && metrics.host === host
        ? `PROMETHEUS_METRICS_PORT: expected another port than that of the API, found ${port}; GET /metrics is there as well, with the token`
        : null,
  },
];

/** What is allowed and still worth a word. */
export const warningsOf = (values: Variables, environment: Environment): readonly string[] => [
  ...(values.POOL_MANAGERD_ADDR === null ? [] : [olderName(values)]),
  ...(environment.token.kind === 'value'
    ? [
        'LLORCH_API_TOKEN: a token in the environment may be seen by other users of this machine; LLORCH_API_TOKEN_FILE or a systemd credential is safer',
      ]
    : []),
  ...unreachable(environment),
  ...(environment.bind.loopback || environment.tls !== null
    ? []
    : [
        'POOL_MANAGERD_BIND_ADDR: other machines reach this address and the network sees the token; set POOL_MANAGERD_TLS_CERT and _KEY, or put a proxy in front',
      ]),
];

const olderName = ({ POOL_MANAGERD_BIND_ADDR: newer }: Variables): string =>
  newer === null
    ? 'POOL_MANAGERD_ADDR: is the older name of POOL_MANAGERD_BIND_ADDR; it still counts'
    : 'POOL_MANAGERD_ADDR: is ignored, since POOL_MANAGERD_BIND_ADDR is set';

const orchestratorProblem = (orchestrator: Environment['orchestrator']): string | null => {
  if (orchestrator === null) return null;
  const problem = addressProblem({ url: orchestrator.url, allowInsecure: orchestrator.allowPlainHttp });
  if (problem === null || addressProblem({ url: orchestrator.url, allowInsecure: true }) !== null) return problem;
  return `${problem}; use https, or set ORCHESTRATORD_ALLOW_PLAIN_HTTP=true`;
};

const wildcards: readonly string[] = ['0.0.0.0', '::'];

const addressMissing = ({ address, bind: { host, loopback }, orchestrator }: Environment): string | null => {
  if (orchestrator === null || address !== null) return null;
  const where = wildcards.includes(host) ? 'all addresses' : loopback && !isLocal(orchestrator.url) ? `loopback (${host})` : null;
  return where === null
    ? null
    : `POOL_MANAGERD_ADDRESS: expected the URL at which orchestratord reaches this node, found nothing, and it cannot be told from an API that listens on ${where}; set it, such as http://gpu-1:9200`;
};

const unreachable = ({ address, orchestrator }: Environment): readonly string[] =>
  address !== null && orchestrator !== null && isLocal(address) && !isLocal(orchestrator.url)
    ? [`POOL_MANAGERD_ADDRESS: ${address} means the orchestratord's own machine to an orchestratord at ${hostOf(orchestrator.url)}`]
    : [];

const hostOf = (url: string): string => new URL(url).hostname;

const isLocal = (url: string): boolean => isLoopbackHost(hostOf(url));
