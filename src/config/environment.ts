/** What the environment says, once it has been read: every default filled in, every path absolute. */
import type { GpuSourceSetting } from '../gpu/choose-source.ts';
import type { Address } from './text-values.ts';

export interface Environment {
  /** Port 0: a free one is taken. */
  readonly bind: Address;
  readonly nodeId: string;
  readonly machineId: string;
  /** Advertised URL; null: `advertisedAddress` derives it once the port is known. */
  readonly address: string | null;
  /** Null: single node, no registration. */
  readonly orchestrator: {
    readonly url: string;
    readonly registerOnStartup: boolean;
    readonly allowPlainHttp: boolean;
    readonly heartbeatMs: number;
  } | null;
  readonly runtimeDir: string;
  readonly watchIntervalMs: number;
  readonly autoDeleteHandoff: boolean;
  readonly gpuDiscoveryIntervalMs: number;
  readonly gpuSource: GpuSourceSetting;
  readonly kernelLog: string;
  readonly pciDevices: string;
  readonly devices: string;
  readonly token: TokenSetting;
  readonly otlpEndpoint: string | null;
  /** Null: off. */
  readonly metrics: { readonly host: string; readonly port: number } | null;
  readonly poolsFile: PoolsFileSetting;
  readonly stateDir: string;
  readonly cacheDir: string;
  readonly shutdown: 'keep' | 'drain';
  readonly launcher: 'auto' | 'systemd' | 'detached';
  /** Both ends included. */
  readonly portRange: { readonly first: number; readonly last: number };
  readonly allowedHosts: readonly string[];
  /** Of the API; null: plain http. */
  readonly tls: { readonly cert: string; readonly key: string } | null;
  /** PEM file of authorities for orchestratord; null: the system's. */
  readonly tlsCa: string | null;
  /** PEM file of authorities whose certificates clients of the API must have; null: they need none. */
  readonly tlsClientCa: string | null;
  readonly logLevel: 'trace' | 'debug' | 'info' | 'warn' | 'error' | 'fatal' | 'silent';
  readonly inspectUrl: string | null;
}

/** Where the token is. */
export type TokenSetting =
  | { readonly kind: 'none' }
  | { readonly kind: 'value'; readonly value: string }
  | { readonly kind: 'file'; readonly file: string }
  /** `$CREDENTIALS_DIRECTORY/api-token`, which need not exist. */
  | { readonly kind: 'credential'; readonly file: string };

export interface PoolsFileSetting {
  readonly file: string;
  /** Set by a person: then it must exist. */
  readonly explicit: boolean;
}

/** The base URL that orchestratord is told, once the API's port is known. */
export const advertisedAddress = ({ address, bind, tls }: Pick<Environment, 'address' | 'bind' | 'tls'>, port: number): string =>
  address ?? `${tls === null ? 'http' : 'https'}://${bind.host.includes(':') ? `[${bind.host}]` : bind.host}:${port}`;
