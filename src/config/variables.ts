/**
 * Every environment variable: what it may be, its default, what it means. The one list; parsing, reference and near misses
 * come from it. What depends on more than one variable is in `environment-rules.ts`.
 */
import * as v from 'valibot';
import { gpuSource } from './gpu-source.ts';
import { type Address, address, flag, hostAlone, hostList, nodeName, oneOf, path, portRange, textValue, url, wholeNumber } from './text-values.ts';

/** The variable names its default by the same text that a person would set. */
const variable = <T>(schema: v.GenericSchema<string, T>, fallback: string, meaning: string) =>
  v.pipe(v.optional(schema, fallback), v.description(meaning), v.metadata({ ...v.getMetadata(schema), fallback }));

/** Without a value of its own; `otherwise` says what holds then. */
const unset = <T>(schema: v.GenericSchema<string, T>, otherwise: string, meaning: string) =>
  v.pipe(v.nullish(schema, null), v.description(meaning), v.metadata({ ...v.getMetadata(schema), otherwise }));

const token = () => textValue('one token of visible ASCII characters, at most 4096', (text) => (isToken(text) ? text : null));

/** What can stand in `Authorization: Bearer …`. */
export const isToken = (text: string): boolean => /^[\x21-\x7e]{1,4096}$/.test(text);

export const defaultBind: Address = { host: '127.0.0.1', port: 9200, loopback: true };
export const defaultPoolsFile = 'pools.yaml';

export const environmentSchema = v.object({
  POOL_MANAGERD_BIND_ADDR: unset(
    address(),
    `${defaultBind.host}:${defaultBind.port}`,
    'Where the API listens. Port 0 takes a free one. An address that other machines reach needs a token.',
  ),
  POOL_MANAGERD_ADDR: unset(address(), 'not set', 'Older name of POOL_MANAGERD_BIND_ADDR.'),
  POOL_MANAGERD_NODE_ID: unset(nodeName(), 'the host name', 'Name of this node at orchestratord, in the API, logs and metrics.'),
  POOL_MANAGERD_MACHINE_ID: unset(nodeName(), 'the node id', 'Name of the machine that the node runs on.'),
  POOL_MANAGERD_ADDRESS: unset(
    url('http://gpu-1:9200', 'http:', 'https:'),
    'derived from the address the API listens on',
    'Base URL at which orchestratord reaches this node. Required with ORCHESTRATORD_URL when the API listens on all addresses, or on loopback while orchestratord is elsewhere.',
  ),
  ORCHESTRATORD_URL: unset(
    url('https://orchestrator:8080', 'http:', 'https:'),
    'single node, no registration',
    'Base URL of orchestratord. Must be https unless orchestratord is on this machine.',
  ),
  ORCHESTRATORD_REGISTER_ON_STARTUP: variable(flag(), 'true', 'Register at the start; else only on POST /v2/nodes/register.'),
  ORCHESTRATORD_ALLOW_PLAIN_HTTP: variable(flag(), 'false', 'Allow http to an orchestratord on another machine. The network then sees the token.'),
  POOL_MANAGERD_HEARTBEAT_INTERVAL_SECS: variable(
    wholeNumber(1, 60, 'seconds'),
    '10',
    'Time between heartbeats, unless orchestratord asks for another.',
  ),
  POOL_MANAGERD_RUNTIME_DIR: variable(path(), '.runtime/engines', 'Directory of handoff files.'),
  POOL_MANAGERD_WATCH_INTERVAL_MS: variable(
    wholeNumber(100, 10_000, 'milliseconds'),
    '1000',
    'Time between rescans of that directory, in case a notification was lost.',
  ),
  POOL_MANAGERD_AUTO_DELETE_HANDOFF: variable(flag(), 'true', 'Delete handoff files once they are read.'),
  POOL_MANAGERD_GPU_DISCOVERY_INTERVAL_MS: variable(wholeNumber(1_000, 60_000, 'milliseconds'), '10000', 'Time between readings of the GPUs.'),
  POOL_MANAGERD_GPU_SOURCE: variable(
    gpuSource(),
    'auto',
    'Where facts about GPUs come from. auto: nvidia-smi, and NVML (experimental) once it has listed the same cards. Simulated cards are for the demo and tests, and no orchestratord elsewhere hears of them.',
  ),
  POOL_MANAGERD_KERNEL_LOG: variable(
    path(),
    '/dev/kmsg',
    "Where the kernel's messages are read, for errors of GPUs (Xids). Where it cannot be opened, the journal is followed.",
  ),
  POOL_MANAGERD_DEVICES: variable(path(), '/dev', 'Where the device nodes of the driver are: without nvidia-uvm no engine is started.'),
  POOL_MANAGERD_PCI_DEVICES: variable(path(), '/sys/bus/pci/devices', 'Where the devices on the PCI bus are listed.'),
  LLORCH_API_TOKEN: unset(
    token(),
    'LLORCH_API_TOKEN_FILE',
    'Bearer token of the API and towards orchestratord. Other users of the machine may see it here; better a file or a systemd credential.',
  ),
  LLORCH_API_TOKEN_FILE: unset(
    path(),
    'the systemd credential api-token, else no token',
    'File with the token, not readable by others. Read again when it changes.',
  ),
  OTEL_EXPORTER_OTLP_ENDPOINT: unset(url('http://127.0.0.1:4318', 'http:', 'https:'), 'no traces', 'OpenTelemetry collector that traces go to.'),
  PROMETHEUS_METRICS_PORT: variable(
    textValue('a port from 1 to 65535, or 0 for none', (text) => (/^\d{1,5}$/.test(text) && Number(text) <= 65_535 ? Number(text) : null)),
    '9091',
    'Port of GET /metrics without a token. 0: off.',
  ),
  POOL_MANAGERD_METRICS_ADDR: variable(hostAlone(), '127.0.0.1', 'Address that this port is opened on.'),
  POOL_MANAGERD_CONFIG: unset(path(), `${defaultPoolsFile}, if there is one`, 'The pools file.'),
  POOL_MANAGERD_STATE_DIR: variable(path(), '.runtime/state', 'What must survive a restart: run records, journal, pools declared over the API.'),
  POOL_MANAGERD_CACHE_DIR: variable(path(), '~/.cache/pool-managerd', 'Engines and models that were fetched or built.'),
  POOL_MANAGERD_SHUTDOWN: variable(
    oneOf('keep', 'drain'),
    'keep',
    'What an orderly end does: keep leaves the engines running, drain ends them and deregisters the node.',
  ),
  POOL_MANAGERD_LAUNCHER: variable(oneOf('auto', 'systemd', 'detached'), 'auto', 'What engines are processes of.'),
  POOL_MANAGERD_PORT_RANGE: variable(portRange(), '18080-18999', 'Ports for engines whose pool names none.'),
  POOL_MANAGERD_ALLOWED_HOSTS: unset(
    hostList(),
    'localhost, the bind address and the node id',
    'Further names under which clients reach this machine, and hosts that handoff files may name.',
  ),
  POOL_MANAGERD_TLS_CERT: unset(
    path(),
    'plain http',
    'Certificate (PEM) of the API, and of this node where orchestratord asks for one; with POOL_MANAGERD_TLS_KEY. Read again when it changes.',
  ),
  POOL_MANAGERD_TLS_KEY: unset(path(), 'plain http', 'Private key (PEM, no passphrase) of that certificate, not readable by others.'),
  POOL_MANAGERD_TLS_CA: unset(path(), 'those of the system and of Node', 'Authorities (PEM) trusted for orchestratord, and no others.'),
  POOL_MANAGERD_TLS_CLIENT_CA: unset(
    path(),
    'clients need no certificate',
    'Authorities (PEM): clients of the API must have a certificate of one of them, besides the token.',
  ),
  POOL_MANAGERD_LOG_LEVEL: variable(oneOf('trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'), 'info', 'Least level that is logged.'),
  POOL_MANAGERD_INSPECT: unset(
    url('ws://127.0.0.1:4242', 'ws:', 'wss:'),
    'off',
    'WebSocket of an XState inspector that the actor system is shown to.',
  ),
});

export type Variables = v.InferOutput<typeof environmentSchema>;
export type VariableName = keyof Variables;

export const variableNames: readonly string[] = Object.keys(environmentSchema.entries);
