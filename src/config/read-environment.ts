/**
 * The environment, read: every variable checked, every default filled in, all mistakes told at once.
 *
 * Pure: opens no file and no socket. What a token file holds is judged in `token.ts`, the pools file in `pools-file.ts`.
 */
import { join, resolve } from 'node:path';
import * as v from 'valibot';
import { nearest } from './did-you-mean.ts';
import type { Environment, TokenSetting } from './environment.ts';
import { type Rule, rules, warningsOf } from './environment-rules.ts';
import { hidden, lineOf } from './mistake.ts';
import { defaultBind, defaultPoolsFile, environmentSchema, type Variables, variableNames } from './variables.ts';

export type Env = Readonly<Record<string, string | undefined>>;

export interface Surroundings {
  readonly hostname: string;
  readonly home: string;
  readonly cwd: string;
}

export type EnvironmentResult =
  | { readonly ok: true; readonly environment: Environment; readonly warnings: readonly string[] }
  | { readonly ok: false; readonly mistakes: readonly string[] };

export const readEnvironment = (env: Env, surroundings: Surroundings): EnvironmentResult => {
  const { environment, mistakes, warnings } = judgeEnvironment(env, surroundings);
  return mistakes.length === 0 ? { ok: true, environment, warnings } : { ok: false, mistakes };
};

export interface Judgement {
  /** With mistakes: the defaults stand where a value was wrong. For looking on, not for running. */
  readonly environment: Environment;
  /** Variables whose value stands for nothing. */
  readonly bad: ReadonlySet<string>;
  readonly mistakes: readonly string[];
  readonly warnings: readonly string[];
}

export const judgeEnvironment = (env: Env, surroundings: Surroundings): Judgement => {
  const given = { POOL_MANAGERD_NODE_ID: surroundings.hostname, ...pickSet(env) };
  const issues = v.safeParse(environmentSchema, given).issues ?? [];
  const bad = new Set(issues.map(nameOf));
  // Again without what was bad, so that the rules over several variables can speak of the rest.
  const good = Object.entries(given).filter(([name]) => !bad.has(name));
  const values = v.parse(environmentSchema, { POOL_MANAGERD_NODE_ID: 'unnamed', ...Object.fromEntries(good) });
  const environment = toEnvironment(values, env, surroundings);
  const broken = rules.filter((rule) => !rule.of.some((name) => bad.has(name))).flatMap((rule) => sentence(rule, values, environment));
  return {
    environment,
    bad,
    mistakes: [...issues.map(mistakeOf), ...broken],
    warnings: [...unknownNames(env), ...warningsOf(values, environment)],
  };
};

/** A variable that is set to nothing counts as not set. */
const pickSet = (env: Env): Readonly<Record<string, string>> =>
  Object.fromEntries(Object.entries(env).flatMap(([name, text]) => (text === undefined || text === '' ? [] : [[name, text] as const])));

const nameOf = (issue: v.BaseIssue<unknown>): string => String(issue.path?.[0]?.key);

const mistakeOf = (issue: v.BaseIssue<unknown>): string => {
  const name = nameOf(issue);
  return lineOf({ key: name, value: name === 'LLORCH_API_TOKEN' ? hidden : issue.input, expected: issue.message });
};

const sentence = (rule: Rule, values: Variables, environment: Environment): readonly string[] => {
  const mistake = rule.mistake(values, environment);
  return mistake === null ? [] : [mistake];
};

const toEnvironment = (values: Variables, env: Env, { home, cwd }: Surroundings): Environment => {
  const at = (path: string): string => resolve(cwd, path.replace(/^~(?=\/|$)/, home));
  const nullableAt = (path: string | null): string | null => (path === null ? null : at(path));
  const { POOL_MANAGERD_TLS_CERT: cert, POOL_MANAGERD_TLS_KEY: key } = values;
  return {
    bind: values.POOL_MANAGERD_BIND_ADDR ?? values.POOL_MANAGERD_ADDR ?? defaultBind,
    nodeId: values.POOL_MANAGERD_NODE_ID ?? 'unnamed',
    machineId: values.POOL_MANAGERD_MACHINE_ID ?? values.POOL_MANAGERD_NODE_ID ?? 'unnamed',
    address: values.POOL_MANAGERD_ADDRESS?.replace(/\/+$/, '') ?? null,
    orchestrator: orchestratorOf(values),
    runtimeDir: at(values.POOL_MANAGERD_RUNTIME_DIR),
    watchIntervalMs: values.POOL_MANAGERD_WATCH_INTERVAL_MS,
    autoDeleteHandoff: values.POOL_MANAGERD_AUTO_DELETE_HANDOFF,
    gpuDiscoveryIntervalMs: values.POOL_MANAGERD_GPU_DISCOVERY_INTERVAL_MS,
    gpuSource: values.POOL_MANAGERD_GPU_SOURCE,
    kernelLog: at(values.POOL_MANAGERD_KERNEL_LOG),
    pciDevices: at(values.POOL_MANAGERD_PCI_DEVICES),
    devices: at(values.POOL_MANAGERD_DEVICES),
    token: tokenSetting(values, env, at),
    otlpEndpoint: values.OTEL_EXPORTER_OTLP_ENDPOINT,
    metrics: values.PROMETHEUS_METRICS_PORT === 0 ? null : { host: values.POOL_MANAGERD_METRICS_ADDR, port: values.PROMETHEUS_METRICS_PORT },
    poolsFile: { file: at(values.POOL_MANAGERD_CONFIG ?? defaultPoolsFile), explicit: values.POOL_MANAGERD_CONFIG !== null },
    stateDir: at(values.POOL_MANAGERD_STATE_DIR),
    cacheDir: at(values.POOL_MANAGERD_CACHE_DIR),
    shutdown: values.POOL_MANAGERD_SHUTDOWN,
    launcher: values.POOL_MANAGERD_LAUNCHER,
    portRange: values.POOL_MANAGERD_PORT_RANGE,
    allowedHosts: values.POOL_MANAGERD_ALLOWED_HOSTS ?? [],
    tls: cert === null || key === null ? null : { cert: at(cert), key: at(key) },
    tlsCa: nullableAt(values.POOL_MANAGERD_TLS_CA),
    tlsClientCa: nullableAt(values.POOL_MANAGERD_TLS_CLIENT_CA),
    logLevel: values.POOL_MANAGERD_LOG_LEVEL,
    inspectUrl: values.POOL_MANAGERD_INSPECT,
  };
};

const orchestratorOf = (values: Variables): Environment['orchestrator'] =>
  values.ORCHESTRATORD_URL === null
    ? null
    : {
        url: values.ORCHESTRATORD_URL,
        registerOnStartup: values.ORCHESTRATORD_REGISTER_ON_STARTUP,
        allowPlainHttp: values.ORCHESTRATORD_ALLOW_PLAIN_HTTP,
        heartbeatMs: values.POOL_MANAGERD_HEARTBEAT_INTERVAL_SECS * 1000,
      };

const tokenSetting = (values: Variables, env: Env, at: (path: string) => string): TokenSetting => {
  if (values.LLORCH_API_TOKEN !== null) return { kind: 'value', value: values.LLORCH_API_TOKEN };
  if (values.LLORCH_API_TOKEN_FILE !== null) return { kind: 'file', file: at(values.LLORCH_API_TOKEN_FILE) };
  const credentials = env['CREDENTIALS_DIRECTORY'];
  return credentials === undefined || credentials === '' ? { kind: 'none' } : { kind: 'credential', file: join(at(credentials), 'api-token') };
};

/** Names that look like ours; other programs' variables are theirs. */
const unknownNames = (env: Env): readonly string[] =>
  Object.keys(env)
    .filter((name) => !variableNames.includes(name))
    .flatMap((name) => {
      const meant = nearest(name, variableNames);
      if (meant !== null) return [`${name}: is no variable of pool-managerd and is ignored; did you mean ${meant}?`];
      return name.startsWith('POOL_MANAGERD_') ? [`${name}: is no variable of pool-managerd and is ignored`] : [];
    });
