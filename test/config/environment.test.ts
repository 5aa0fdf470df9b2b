/** The environment: defaults, what each variable may be, what holds between several. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { advertisedAddress, type Environment } from '../../src/config/environment.ts';
import { type Env, readEnvironment } from '../../src/config/read-environment.ts';
import { variableNames } from '../../src/config/variables.ts';

const surroundings = { hostname: 'gpu-1', home: '/home/ops', cwd: '/srv/pm' };
const strong = 'b7c1e09d55aa4e21b7c1e09d55aa4e21';
const gib = 1024 ** 3;

const read = (env: Env): Environment => {
  const result = readEnvironment(env, surroundings);
  if (!result.ok) throw new Error(result.mistakes.join('\n'));
  return result.environment;
};
const mistakes = (env: Env): readonly string[] => {
  const result = readEnvironment(env, surroundings);
  return result.ok ? [] : result.mistakes;
};
const warnings = (env: Env): readonly string[] => {
  const result = readEnvironment(env, surroundings);
  if (!result.ok) throw new Error(result.mistakes.join('\n'));
  return result.warnings;
};

describe('an empty environment', () => {
  it('is valid, and every default is filled in', () => {
    expect(read({})).toEqual({
      bind: { host: '127.0.0.1', port: 9200, loopback: true },
      nodeId: 'gpu-1',
      machineId: 'gpu-1',
      address: null,
      orchestrator: null,
      runtimeDir: '/srv/pm/.runtime/engines',
      watchIntervalMs: 1000,
      autoDeleteHandoff: true,
      gpuDiscoveryIntervalMs: 10_000,
      kernelLog: '/dev/kmsg',
      pciDevices: '/sys/bus/pci/devices',
      devices: '/dev',
      gpuSource: { kind: 'auto' },
      token: { kind: 'none' },
      otlpEndpoint: null,
      metrics: { host: '127.0.0.1', port: 9091 },
      poolsFile: { file: '/srv/pm/pools.yaml', explicit: false },
      stateDir: '/srv/pm/.runtime/state',
      cacheDir: '/home/ops/.cache/pool-managerd',
      shutdown: 'keep',
      launcher: 'auto',
      portRange: { first: 18_080, last: 18_999 },
      allowedHosts: [],
      tls: null,
      tlsCa: null,
      tlsClientCa: null,
      logLevel: 'info',
      inspectUrl: null,
    });
  });

  it('is the same as one in which every variable is set to nothing', () => {
    expect(read(Object.fromEntries(variableNames.map((name) => [name, ''])))).toEqual(read({}));
  });

  it('gives no warning', () => {
    expect(warnings({ PATH: '/usr/bin', HOME: '/home/ops' })).toEqual([]);
  });
});

describe('values', () => {
  it.each<[Env, Partial<Environment>]>([
    [{ POOL_MANAGERD_BIND_ADDR: '[::1]:9300' }, { bind: { host: '::1', port: 9300, loopback: true } }],
    [{ POOL_MANAGERD_BIND_ADDR: '127.9.9.9:0' }, { bind: { host: '127.9.9.9', port: 0, loopback: true } }],
    [{ POOL_MANAGERD_BIND_ADDR: 'localhost:1' }, { bind: { host: 'localhost', port: 1, loopback: true } }],
    [{ POOL_MANAGERD_BIND_ADDR: '0.0.0.0:9200', LLORCH_API_TOKEN: strong }, { bind: { host: '0.0.0.0', port: 9200, loopback: false } }],
    [{ POOL_MANAGERD_ADDR: '127.0.0.1:9999' }, { bind: { host: '127.0.0.1', port: 9999, loopback: true } }],
    [{ POOL_MANAGERD_NODE_ID: 'node_7' }, { nodeId: 'node_7', machineId: 'node_7' }],
    [{ POOL_MANAGERD_MACHINE_ID: 'rack-3' }, { nodeId: 'gpu-1', machineId: 'rack-3' }],
    [{ POOL_MANAGERD_AUTO_DELETE_HANDOFF: '0' }, { autoDeleteHandoff: false }],
    [{ POOL_MANAGERD_AUTO_DELETE_HANDOFF: 'true' }, { autoDeleteHandoff: true }],
    [{ POOL_MANAGERD_STATE_DIR: '/var/lib/pool-managerd' }, { stateDir: '/var/lib/pool-managerd' }],
    [{ POOL_MANAGERD_CACHE_DIR: '~/models' }, { cacheDir: '/home/ops/models' }],
    [{ POOL_MANAGERD_CONFIG: 'conf/my.yaml' }, { poolsFile: { file: '/srv/pm/conf/my.yaml', explicit: true } }],
    [{ PROMETHEUS_METRICS_PORT: '0' }, { metrics: null }],
    [{ POOL_MANAGERD_METRICS_ADDR: '[::1]' }, { metrics: { host: '::1', port: 9091 } }],
    [{ POOL_MANAGERD_PORT_RANGE: '20000-20000' }, { portRange: { first: 20_000, last: 20_000 } }],
    [{ POOL_MANAGERD_ALLOWED_HOSTS: 'gpu-1.example.org, 10.0.0.4,[fe80::1]' }, { allowedHosts: ['gpu-1.example.org', '10.0.0.4', 'fe80::1'] }],
    [{ LLORCH_API_TOKEN_FILE: 'token' }, { token: { kind: 'file', file: '/srv/pm/token' } }],
    [{ CREDENTIALS_DIRECTORY: '/run/credentials/pm' }, { token: { kind: 'credential', file: '/run/credentials/pm/api-token' } }],
    [{ CREDENTIALS_DIRECTORY: '/run/c', LLORCH_API_TOKEN: 'x' }, { token: { kind: 'value', value: 'x' } }],
    [{ POOL_MANAGERD_TLS_CERT: '/c.pem', POOL_MANAGERD_TLS_KEY: 'k.pem' }, { tls: { cert: '/c.pem', key: '/srv/pm/k.pem' } }],
    [{ POOL_MANAGERD_GPU_SOURCE: 'nvidia-smi' }, { gpuSource: { kind: 'nvidia-smi' } }],
    [
      { ORCHESTRATORD_URL: 'https://orchestrator:8080', POOL_MANAGERD_ADDRESS: 'http://gpu-1:9200/', POOL_MANAGERD_HEARTBEAT_INTERVAL_SECS: '60' },
      {
        address: 'http://gpu-1:9200',
        orchestrator: { url: 'https://orchestrator:8080', registerOnStartup: true, allowPlainHttp: false, heartbeatMs: 60_000 },
      },
    ],
  ])('%j', (env, expected) => {
    expect(read(env)).toMatchObject(expected);
  });

  it('simulated cards are counted and sized', () => {
    const card = (size: number) => ({ name: `Simulated ${size} GiB`, memoryBytes: size * gib, computeCapability: '8.9' });
    expect(read({ POOL_MANAGERD_GPU_SOURCE: 'simulated:2x24GiB' }).gpuSource).toEqual({ kind: 'simulated', cards: [card(24), card(24)] });
    expect(read({ POOL_MANAGERD_GPU_SOURCE: 'simulated:24GiB, 80GiB' }).gpuSource).toEqual({ kind: 'simulated', cards: [card(24), card(80)] });
    expect(read({ POOL_MANAGERD_GPU_SOURCE: 'simulated:512MiB' }).gpuSource).toMatchObject({ cards: [{ memoryBytes: 512 * 1024 ** 2 }] });
  });
});

describe('one bad value', () => {
  it.each([
    [
      'POOL_MANAGERD_BIND_ADDR',
      ['9200', ':9200', '::1:9200', '127.0.0.1', '127.0.0.1:65536', '[127.0.0.1]:1', '1.2.3:80', '127.0.0.256:80', 'http://x:1'],
    ],
    ['POOL_MANAGERD_ADDR', ['localhost']],
    ['POOL_MANAGERD_NODE_ID', ['a b', '-x', 'ö', 'x'.repeat(254)]],
    ['POOL_MANAGERD_ADDRESS', ['gpu-1:9200', 'ftp://gpu-1', 'http://a@gpu-1:9200']],
    ['ORCHESTRATORD_URL', ['orchestrator', 'http://', 'https://u:p@orchestrator', 'file:///x']],
    ['ORCHESTRATORD_REGISTER_ON_STARTUP', ['yes', 'TRUE', 'on', ' true']],
    ['POOL_MANAGERD_HEARTBEAT_INTERVAL_SECS', ['0', '61', '1.5', '-1', '1e1', '10s']],
    ['POOL_MANAGERD_WATCH_INTERVAL_MS', ['99', '10001']],
    ['POOL_MANAGERD_GPU_DISCOVERY_INTERVAL_MS', ['999', '60001']],
    [
      'POOL_MANAGERD_GPU_SOURCE',
      ['cuda', 'simulated', 'simulated:', 'simulated:2', 'simulated:2x24', 'simulated:0x24GiB', 'simulated:24GB', 'simulated:64x1GiB,1GiB'],
    ],
    ['LLORCH_API_TOKEN', ['two words', 'tab\there', 'ü'.repeat(20)]],
    ['OTEL_EXPORTER_OTLP_ENDPOINT', ['localhost:4318']],
    ['PROMETHEUS_METRICS_PORT', ['-1', '65536', 'off']],
    ['POOL_MANAGERD_METRICS_ADDR', ['127.0.0.1:9091', 'a/b']],
    ['POOL_MANAGERD_SHUTDOWN', ['stop']],
    ['POOL_MANAGERD_LAUNCHER', ['docker']],
    ['POOL_MANAGERD_PORT_RANGE', ['18080', '2-1', '0-5', '1-65536']],
    ['POOL_MANAGERD_ALLOWED_HOSTS', ['a,,b', 'a:80', '*']],
    ['POOL_MANAGERD_LOG_LEVEL', ['verbose']],
    ['POOL_MANAGERD_INSPECT', ['http://127.0.0.1:4242']],
  ])('of %s is one line with its name, what was expected and what was found', (name, values) => {
    for (const value of values) {
      const lines = mistakes({ [name]: value });
      expect(lines, value).toHaveLength(1);
      expect(lines[0]).toMatch(new RegExp(`^${name}: expected .+, found .+$`));
    }
  });

  it('is told with the whole sentence', () => {
    expect(mistakes({ POOL_MANAGERD_HEARTBEAT_INTERVAL_SECS: '0' })).toEqual([
      'POOL_MANAGERD_HEARTBEAT_INTERVAL_SECS: expected a whole number of seconds from 1 to 60, found "0"',
    ]);
  });

  it('shows no token and no password', () => {
    expect(mistakes({ LLORCH_API_TOKEN: 'secret canary' }).join()).not.toContain('canary');
    expect(mistakes({ ORCHESTRATORD_URL: 'https://user:canary@orchestrator' }).join()).not.toContain('canary');
  });

  it('of a host name that cannot be a node id names the variable that helps', () => {
    const result = readEnvironment({}, { ...surroundings, hostname: 'my host' });
    expect(result).toMatchObject({ ok: false, mistakes: [expect.stringMatching(/^POOL_MANAGERD_NODE_ID: .* found "my host"$/)] });
  });
});

describe('many bad values', () => {
  it('are told at once, with the rules that need none of them', () => {
    const lines = mistakes({
      POOL_MANAGERD_HEARTBEAT_INTERVAL_SECS: 'often',
      POOL_MANAGERD_LOG_LEVEL: 'loud',
      POOL_MANAGERD_BIND_ADDR: '0.0.0.0:9200',
      POOL_MANAGERD_TLS_CERT: '/c.pem',
    });
    expect(lines.map((line) => line.split(':')[0])).toEqual([
      'POOL_MANAGERD_HEARTBEAT_INTERVAL_SECS',
      'POOL_MANAGERD_LOG_LEVEL',
      'LLORCH_API_TOKEN',
      'POOL_MANAGERD_TLS_KEY',
    ]);
  });
});

describe('a token', () => {
  const open = (token: string): Env => ({ POOL_MANAGERD_BIND_ADDR: '0.0.0.0:9200', LLORCH_API_TOKEN: token });

  it('is required where other machines reach the API, and the line says what to set', () => {
    for (const bind of ['0.0.0.0:9200', '[::]:9200', '10.1.2.3:9200', 'gpu-1:9200']) {
      const [line, ...others] = mistakes({ POOL_MANAGERD_BIND_ADDR: bind });
      expect(others).toEqual([]);
      expect(line).toMatch(/^LLORCH_API_TOKEN: expected a token.*set LLORCH_API_TOKEN_FILE/);
    }
  });

  it.each(['fifteen-chars-x', 'your-token-your-token', '<same-token-as-there>', 'CHANGE-ME-CHANGE-ME', 'aaaaaaaaaaaaaaaaaaaa'])(
    'such as %s is refused there, unshown, and is good enough on loopback',
    (token) => {
      const [line, ...others] = mistakes(open(token));
      expect(others).toEqual([]);
      expect(line).toMatch(/^LLORCH_API_TOKEN: expected a random token of at least 16 characters/);
      expect(line).not.toContain(token);
      expect(read({ LLORCH_API_TOKEN: token }).token).toEqual({ kind: 'value', value: token });
    },
  );

  it('that is strong is accepted, with a warning that the environment is no place for it', () => {
    expect(read(open(strong)).bind.loopback).toBe(false);
    expect(warnings(open(strong))).toEqual([
      expect.stringMatching(/^LLORCH_API_TOKEN: .*LLORCH_API_TOKEN_FILE/),
      expect.stringMatching(/^POOL_MANAGERD_BIND_ADDR: .* the network sees the token/),
    ]);
    const tls = { POOL_MANAGERD_TLS_CERT: '/c', POOL_MANAGERD_TLS_KEY: '/k' };
    expect(warnings({ ...open(strong), ...tls })).toHaveLength(1);
    expect(warnings({ ...open(strong), POOL_MANAGERD_BIND_ADDR: '127.0.0.1:0' })).toHaveLength(1);
  });

  it('in the environment and in a file is one too many', () => {
    expect(mistakes({ LLORCH_API_TOKEN: strong, LLORCH_API_TOKEN_FILE: '/t' })).toEqual([expect.stringMatching(/found both; remove one$/)]);
  });
});

describe('the advertised address', () => {
  const near = 'http://127.0.0.1:8080';
  const far = 'https://orchestrator:8080';

  it.each([
    [{ POOL_MANAGERD_BIND_ADDR: '0.0.0.0:9200', LLORCH_API_TOKEN: strong, ORCHESTRATORD_URL: near }],
    [{ POOL_MANAGERD_BIND_ADDR: '[::]:9200', LLORCH_API_TOKEN: strong, ORCHESTRATORD_URL: far }],
    [{ ORCHESTRATORD_URL: far }],
  ])('is required for %j', (env) => {
    expect(mistakes(env)).toEqual([expect.stringMatching(/^POOL_MANAGERD_ADDRESS: expected .* set it/)]);
    expect(mistakes({ ...env, POOL_MANAGERD_ADDRESS: 'http://gpu-1:9200' })).toEqual([]);
  });

  it.each<[Env, string]>([
    [{ ORCHESTRATORD_URL: near }, 'http://127.0.0.1:4711'],
    [{ ORCHESTRATORD_URL: near, POOL_MANAGERD_BIND_ADDR: '[::1]:0' }, 'http://[::1]:4711'],
    [{ ORCHESTRATORD_URL: far, POOL_MANAGERD_BIND_ADDR: '10.0.0.4:9200', LLORCH_API_TOKEN: strong }, 'http://10.0.0.4:4711'],
    [{ ORCHESTRATORD_URL: near, POOL_MANAGERD_TLS_CERT: '/c', POOL_MANAGERD_TLS_KEY: '/k' }, 'https://127.0.0.1:4711'],
    [{ ORCHESTRATORD_URL: near, POOL_MANAGERD_ADDRESS: 'http://gpu-1:9200' }, 'http://gpu-1:9200'],
  ])('of %j, once the port is known, is %s', (env, expected) => {
    expect(advertisedAddress(read(env), 4711)).toBe(expected);
  });

  it('on loopback for an orchestratord elsewhere is a warning', () => {
    expect(warnings({ ORCHESTRATORD_URL: far, POOL_MANAGERD_ADDRESS: 'http://localhost:9200' })).toEqual([
      expect.stringMatching(/^POOL_MANAGERD_ADDRESS: /),
    ]);
  });
});

describe('orchestratord', () => {
  it('over plain http is refused on another machine unless that is allowed', () => {
    const env = { ORCHESTRATORD_URL: 'http://orchestrator:8080', POOL_MANAGERD_ADDRESS: 'http://gpu-1:9200' };
    expect(mistakes(env)).toEqual([expect.stringMatching(/^ORCHESTRATORD_URL: expected https .*ORCHESTRATORD_ALLOW_PLAIN_HTTP=true$/)]);
    expect(mistakes({ ...env, ORCHESTRATORD_ALLOW_PLAIN_HTTP: 'true' })).toEqual([]);
  });

  it('on another machine never hears of simulated GPUs', () => {
    const env = { POOL_MANAGERD_GPU_SOURCE: 'simulated:24GiB', POOL_MANAGERD_ADDRESS: 'http://gpu-1:9200' };
    expect(mistakes({ ...env, ORCHESTRATORD_URL: 'https://orchestrator:8080' })).toEqual([
      expect.stringMatching(/^POOL_MANAGERD_GPU_SOURCE: expected real GPUs .*orchestrator/),
    ]);
    expect(mistakes({ ...env, ORCHESTRATORD_URL: 'http://localhost:8080' })).toEqual([]);
  });
});

describe('further rules', () => {
  it('certificate and key come together', () => {
    expect(mistakes({ POOL_MANAGERD_TLS_KEY: '/k' })).toEqual([expect.stringMatching(/^POOL_MANAGERD_TLS_CERT: expected a path/)]);
  });

  it('metrics need a port of their own', () => {
    expect(mistakes({ PROMETHEUS_METRICS_PORT: '9200' })).toEqual([expect.stringMatching(/^PROMETHEUS_METRICS_PORT: expected another port/)]);
  });
});

describe('names that are not known', () => {
  it('are warned about where they look like ours, with what was meant', () => {
    expect(warnings({ POOL_MANAGERD_HARTBEAT_INTERVAL_SECS: '5', POOL_MANAGERD_COLOUR: 'red', ORCHESTRATOR_URL: 'x', MY_TOKEN: 'x' })).toEqual([
      'POOL_MANAGERD_HARTBEAT_INTERVAL_SECS: is no variable of pool-managerd and is ignored; did you mean POOL_MANAGERD_HEARTBEAT_INTERVAL_SECS?',
      'POOL_MANAGERD_COLOUR: is no variable of pool-managerd and is ignored',
      'ORCHESTRATOR_URL: is no variable of pool-managerd and is ignored; did you mean ORCHESTRATORD_URL?',
    ]);
  });

  it('the older name counts, unless the newer is set', () => {
    const older = { POOL_MANAGERD_ADDR: '127.0.0.1:1' };
    expect(warnings(older)).toEqual([expect.stringMatching(/older name of POOL_MANAGERD_BIND_ADDR/)]);
    expect(warnings({ ...older, POOL_MANAGERD_BIND_ADDR: '127.0.0.1:2' })).toEqual([expect.stringMatching(/^POOL_MANAGERD_ADDR: is ignored/)]);
    expect(read({ ...older, POOL_MANAGERD_BIND_ADDR: '127.0.0.1:2' }).bind.port).toBe(2);
  });
});

it('no environment whatever makes it throw, and every mistake is one line', () => {
  const value = fc.oneof(fc.string(), fc.constantFrom('0', '-1', 'true', '127.0.0.1:9200', 'http://x', 'simulated:', '[::1]:1', 'a\nb', '\0'));
  const env = fc.dictionary(fc.oneof(fc.constantFrom(...variableNames), fc.string()), value);
  fc.assert(
    fc.property(env, (given) => {
      for (const line of mistakes(given)) expect(line).not.toMatch(/\n/);
    }),
    { numRuns: 500 },
  );
});
