/** The pools file: defaults, every kind of mistake with its line, and files that are no pools file. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createPoolsReader, loadPools, parsePools } from '../../src/config/pools-file.ts';
import { attachedSpec } from '../../src/machines/pool/attached.ts';
import type { PoolSpec } from '../../src/machines/vocabulary.ts';

const uuid = '3b6e5a1c-1234-4abc-8def-0123456789ab';
const hex = 'a'.repeat(64);

const pools = (text: string): readonly PoolSpec[] => {
  const result = parsePools(text, { file: 'pools.yaml' });
  if (!result.ok) throw new Error(result.mistakes.join('\n'));
  return result.pools;
};
const mistakes = (text: string): readonly string[] => {
  const result = parsePools(text, { file: 'pools.yaml' });
  return result.ok ? [] : result.mistakes;
};
/** A pool that is right but for these lines. */
const withLines = (...lines: readonly string[]): string =>
  ['pools:', '  - id: pool-0', '    engine: llamacpp', '    model: /m.gguf', '    devices: [0]', ...lines.map((line) => `    ${line}`)].join('\n');
const custom = (...lines: readonly string[]): string =>
  ['pools:', '  - id: pool-0', '    engine: custom', '    devices: [0]', ...lines.map((line) => `    ${line}`)].join('\n');

describe('a pool with nothing but what is required', () => {
  it('has every default, the same as a pool made from a handoff', () => {
    const attached = attachedSpec({
      file: '',
      poolId: 'pool-0',
      replicaId: 'r0',
      engine: 'llamacpp',
      engineVersion: null,
      endpoint: 'http://127.0.0.1:1',
      devices: [0],
      slotsTotal: null,
      ready: true,
      modelId: '/m.gguf',
      pid: null,
      pidStartTime: null,
      incarnation: null,
    });
    expect(pools(withLines())).toEqual([{ ...attached, custom: null }]);
  });

  it('gets only the limits that were not set from the defaults', () => {
    const [pool] = pools(withLines('health: { failures: 5 }', 'timeouts:', '  drain_ms: 0', 'restart: { max_ms: 90000 }'));
    expect(pool).toMatchObject({
      health: { interval_ms: 2000, failures: 5 },
      timeouts: { start_stall_ms: 300_000, drain_ms: 0 },
      restart: { initial_ms: 1000, max_ms: 90_000 },
    });
  });
});

describe('accepted', () => {
  it.each([
    ['UUIDs and slices', `devices: [GPU-${uuid}, MIG-${uuid}, MIG-GPU-${uuid}/3/0]`],
    ['shares that sum to 1 within a thousandth', 'devices: [0, 1, 2]', 'tensor_split: [0.333, 0.333, 0.3335]'],
    ['another host with a key', 'host: 10.0.0.4', 'api_key_file: /etc/key'],
    ['IPv6 loopback without a key', "host: '::1'"],
    ['null where a key may be absent', 'ctx: null', 'ports: null', 'custom: null'],
    ['provisioning as binary', `provisioning: { mode: binary, binary: { url: 'https://x.org/a.tgz', checksum: 'sha256:${hex}' } }`],
    ['provisioning as source', 'provisioning: { mode: source, source: { repo: https://x.org/llama.cpp, ref: b4567 } }'],
    ['provisioning as package', "provisioning: { mode: package, package: { name: vllm, version: '0.9.1' } }"],
    ['provisioning as container', `provisioning: { mode: container, container: { image: ghcr.io/x/y:1, digest: 'sha256:${hex}' } }`],
    ['provisioning from the source that the engine is known by', 'provisioning: { mode: source, source: { ref: b4567 } }'],
    ['a package by a lock file', "provisioning: { mode: package, package: { name: llama, version: '1', lock: llama.lock } }"],
    ['a model source', `model_source: { ref: 'hf:org/model', checksum: 'sha256:${hex}' }`],
    ['an alias', 'flags: &same [--a]', 'env: {}'],
  ])('%s', (_, ...lines) => {
    const text = withLines(...lines);
    expect(mistakes(lines[0]?.startsWith('devices') ? text.replace('    devices: [0]\n', '') : text)).toEqual([]);
  });

  it('a custom engine without a model', () => {
    expect(pools(custom('custom: { health_path: /h }'))[0]).toMatchObject({
      model: null,
      custom: { health_path: '/h', progress_path: null, in_flight: null, token: null },
    });
  });

  it('provisioning from source, with its own defaults', () => {
    expect(pools(withLines('provisioning: { mode: source, source: { repo: /src/llama, ref: v1 } }'))[0]?.provisioning).toEqual({
      mode: 'source',
      source: { repo: '/src/llama', ref: 'v1', submodules: false, build: { cmake_flags: [], generator: null, cache_dir: null } },
    });
  });
});

describe('a mistake is one line with file, line, key, expectation and what was found', () => {
  it.each([
    ['slots: 0', 'slots: expected a whole number of requests from 1 to 1024, found 0'],
    ['slots: 1025', 'slots: expected a whole number of requests from 1 to 1024, found 1025'],
    ['slots: 1.5', 'slots: expected a whole number of requests from 1 to 1024, found 1.5'],
    ['slots: "4"', 'slots: expected a whole number of requests from 1 to 1024, found "4"'],
    ['slots: .nan', 'slots: expected a whole number of requests from 1 to 1024, found NaN'],
    ['slots:', 'slots: expected a whole number of requests from 1 to 1024, found nothing'],
    ['ctx: 0', 'ctx: expected a whole number of tokens from 1 to 16777216, found 0'],
    ['preload: yes', 'preload: expected true or false, found "yes"'],
    ['quant: "q4 k"', 'quant: expected the name of a quantisation, found "q4 k"'],
    ['tensor_split: [0.5, 0.5]', 'tensor_split: expected one share for each device, found a list'],
    ['tensor_split: [0.9]', 'tensor_split: expected shares that sum to 1, found a list'],
    ['tensor_split: [2]', 'tensor_split[0]: expected a share from 0 to 1, found 2'],
    ['env: { 1A: x }', 'env.1A: expected the name of an environment variable, found "1A"'],
    ['env: { A: "x\\0y" }', 'env.A: expected text (quote numbers), at most 32768, found a value that is not shown'],
    ['env: { A: 1 }', 'env.A: expected text (quote numbers), at most 32768, found a value that is not shown'],
    ['env: []', 'env: expected a map of names and values, found an empty list'],
    ['flags: [--threads, 4]', 'flags[1]: expected text (quote numbers), at most 4096, found 4'],
    ['flags: --threads', 'flags: expected a list of flags, found "--threads"'],
    ['ports: [0]', 'ports[0]: expected a whole number from 1 to 65535, found 0'],
    ['ports: [80, 80]', 'ports[1]: expected each port once, found 80'],
    ['ports: []', 'ports: expected at least one port, found an empty list'],
    ['custom: { health_path: /h }', 'custom: expected nothing, since engine is not custom, found a map'],
    ['provisioning: { mode: magic }', 'provisioning.mode: expected external, binary, source, package or container, found "magic"'],
    ['provisioning: {}', 'provisioning.mode: expected external, binary, source, package or container, found nothing'],
    ['provisioning: { mode: package }', 'provisioning.package: expected a map, found nothing'],
    ['provisioning: { mode: external, package: {} }', 'provisioning.package: expected one of the keys mode, executable, found "package"'],
    [
      'provisioning: { mode: external, executable: -rm }',
      'provisioning.executable: expected a path: text without a leading dash, at most 4096, found "-rm"',
    ],
    [
      "provisioning: { mode: package, package: { version: '1' } }",
      'provisioning: expected a package at package.name, since the engine has none of its own, found a map',
    ],
    ['model_source: { checksum: abc }', 'model_source.checksum: expected sha256: and 64 hexadecimal digits, found "abc"'],
    ['timeouts: { drain_ms: -1 }', 'timeouts.drain_ms: expected a whole number of milliseconds from 0 to 86400000, found -1'],
    [
      'timeouts: { drain: 1 }',
      'timeouts.drain: expected one of the keys start_stall_ms, start_max_ms, drain_ms, stop_ms, vram_release_ms, found "drain"',
    ],
    ['health: { failures: 0 }', 'health.failures: expected a whole number from 1 to 100, found 0'],
    ['health: 5', 'health: expected a map, found 5'],
    ['restart: { initial_ms: 9000, max_ms: 8000 }', 'restart.max_ms: expected at least restart.initial_ms, found 8000'],
    ['slotz: 4', 'slotz: expected a known key (did you mean slots?), found "slotz"'],
    ['nonsense: 4', 'nonsense: expected a known key, found "nonsense"'],
    ['toString: 4', 'toString: expected a known key, found "toString"'],
    ['"a\\nb": 4', '"a\\nb": expected a known key, found "a\\nb"'],
    ['<<: { slots: 4 }', '"<<": expected a known key, found "<<"'],
  ])('%s', (line, expected) => {
    expect(mistakes(withLines(line))).toEqual([`pools.yaml:6: pools[0].${expected}`]);
  });

  it.each([
    ['[]', 'devices: expected at least one GPU index or UUID; pools name their GPUs, found an empty list'],
    ['[64]', 'devices[0]: expected a GPU index from 0 to 63, or a UUID such as GPU-… or MIG-…, found 64'],
    ['[-1]', 'devices[0]: expected a GPU index from 0 to 63, or a UUID such as GPU-… or MIG-…, found -1'],
    ['["0"]', 'devices[0]: expected a GPU index from 0 to 63, or a UUID such as GPU-… or MIG-…, found "0"'],
    ['[GPU-1]', 'devices[0]: expected a GPU index from 0 to 63, or a UUID such as GPU-… or MIG-…, found "GPU-1"'],
    ['[1, 0, 1]', 'devices[2]: expected each GPU once, found 1'],
    [`[GPU-${uuid}, GPU-${uuid.toUpperCase()}]`, `devices[1]: expected each GPU once, found "GPU-${uuid.toUpperCase()}"`],
    ['0', 'devices: expected a list of GPU indices or UUIDs, found 0'],
  ])('devices: %s', (devices, expected) => {
    expect(mistakes(withLines().replace('[0]', devices))).toEqual([`pools.yaml:5: pools[0].${expected}`]);
  });

  it.each([
    ['engine: llamacpp', 'engine: tensorrt', 'engine: expected llamacpp, vllm, sglang, tgi or custom, found "tensorrt"', 3],
    ['    engine: llamacpp\n', '', 'engine: expected llamacpp, vllm, sglang, tgi or custom, found nothing', 2],
    ['    model: /m.gguf\n', '', 'model: expected a model, since the engine needs one, found nothing', 2],
    ['    devices: [0]', '', 'devices: expected a list of GPU indices or UUIDs, found nothing', 2],
    ['model: /m.gguf', 'model: --help', 'model: expected a model reference: text without a leading dash, at most 4096, found "--help"', 4],
    ['id: pool-0', 'id: ../etc', 'id: expected lower-case letters, digits and inner dashes, at most 60, not ending in --b, found "../etc"', 2],
    [
      'id: pool-0',
      `id: ${'a'.repeat(64)}`,
      `id: expected lower-case letters, digits and inner dashes, at most 60, not ending in --b, found "${'a'.repeat(64)}"`,
      2,
    ],
    ['id: pool-0', 'id: pool-0--b', `id: expected lower-case letters, digits and inner dashes, at most 60, not ending in --b, found "pool-0--b"`, 2],
  ])('%s → %s', (right, wrong, expected, line) => {
    expect(mistakes(withLines().replace(right, wrong))).toEqual([`pools.yaml:${line}: pools[0].${expected}`]);
  });

  it('of an address that other machines reach without a key', () => {
    const keyless = 'pools.yaml:2: pools[0].api_key_file: expected a file with a key, since the engine listens on more than loopback, found nothing';
    expect(mistakes(withLines('host: 0.0.0.0'))).toEqual([keyless]);
    expect(mistakes(withLines('host: "http://x"'))).toEqual([
      keyless,
      'pools.yaml:6: pools[0].host: expected an IP address or host name, without port or brackets, found "http://x"',
    ]);
  });

  it('of a custom engine without its description', () => {
    expect(mistakes(custom())).toEqual([
      'pools.yaml:2: pools[0].custom: expected a map with at least health_path, since engine is custom, found nothing',
    ]);
    expect(mistakes(custom('custom: {}'))).toEqual([
      'pools.yaml:5: pools[0].custom.health_path: expected a path that begins with / and has no spaces, found nothing',
    ]);
  });

  it('of an id that another pool has, even if that one is wrong otherwise', () => {
    const text = `pools:
  - { id: a, engine: llamacpp, model: m, devices: [0] }
  - { id: b, engine: llamacpp, model: m, devices: [1] }
  - { id: a, engine: llamacpp, model: m, devices: [2], slots: 0 }
`;
    expect(mistakes(text)).toEqual([
      'pools.yaml:4: pools[2].id: expected an id of its own (pools[0] has it), found "a"',
      'pools.yaml:4: pools[2].slots: expected a whole number of requests from 1 to 1024, found 0',
    ]);
  });
});

describe('many mistakes', () => {
  it('are told at once, in the order of the file, rules between keys included', () => {
    const text = `version: 2
pools:
  - id: Bad
    engin: llamacpp
    devices: [0, 1]
    slots: 2
    slots: 0
    tensor_split: [0.5]
    restart: { initial_ms: 5, max_ms: 10 }
  - 7
extra: true
`;
    expect(mistakes(text)).toEqual([
      'pools.yaml:1: version: expected 1, found 2',
      'pools.yaml:3: pools[0].engine: expected llamacpp, vllm, sglang, tgi or custom, found nothing',
      'pools.yaml:3: pools[0].id: expected lower-case letters, digits and inner dashes, at most 60, not ending in --b, found "Bad"',
      'pools.yaml:4: pools[0].engin: expected a known key (did you mean engine?), found "engin"',
      'pools.yaml:7: expected each key once, found "slots" again',
      'pools.yaml:7: pools[0].slots: expected a whole number of requests from 1 to 1024, found 0',
      'pools.yaml:8: pools[0].tensor_split: expected one share for each device, found a list',
      'pools.yaml:9: pools[0].restart.initial_ms: expected a whole number of milliseconds from 10 to 3600000, found 5',
      'pools.yaml:10: pools[1]: expected a map, found 7',
      'pools.yaml:11: extra: expected one of the keys version, pools, found "extra"',
    ]);
  });

  it('are at most a hundred lines and a count', () => {
    const lines = mistakes(`pools:\n${'  - 1\n'.repeat(150)}`);
    expect(lines).toHaveLength(101);
    expect(lines.at(-1)).toBe('pools.yaml: 50 more mistakes');
  });
});

describe('a text that is no pools file', () => {
  it.each([
    ['', 'pools.yaml:1: the file: expected a map with the key pools, found nothing'],
    ['- a', 'pools.yaml:1: the file: expected a map with the key pools, found a list'],
    ['pools: {}', 'pools.yaml:1: pools: expected a list of pools, found a map'],
    ['version: 1', 'pools.yaml:1: pools: expected a list of pools, found nothing'],
    ['a: 1\n---\nb: 2', 'pools.yaml:2: not YAML: Source contains multiple documents; please use YAML.parseAllDocuments()'],
    ['pools:\n\t- a', /^pools\.yaml:2: not YAML: /],
    ['pools: [', /^pools\.yaml:1: not YAML: /],
    ['pools: !!js/function x', /^pools\.yaml:1: not YAML: /],
    ['? [a]\n: b', /^pools\.yaml:1: not YAML: /],
    ['pools: *nowhere', /^pools\.yaml:1: cannot be read: .*alias/],
  ])('%j', (text, expected) => {
    const lines = mistakes(text);
    expect(lines.length).toBeGreaterThan(0);
    expect(lines[0]).toEqual(typeof expected === 'string' ? expected : expect.stringMatching(expected));
  });

  it('such as one that multiplies itself is refused quickly', () => {
    const levels = Array.from({ length: 9 }, (_, level) => `a${level + 1}: &a${level + 1} [${`*a${level},`.repeat(9)}]`);
    const started = performance.now();
    expect(mistakes(['a0: &a0 [x]', ...levels].join('\n'))).toEqual([expect.stringMatching(/^pools\.yaml:1: cannot be read: .*alias/i)]);
    expect(performance.now() - started).toBeLessThan(2_000);
  });

  it('such as nesting without end is refused in few lines', () => {
    const lines = mistakes('['.repeat(100_000));
    expect(lines.length).toBeGreaterThan(0);
    expect(lines.length).toBeLessThan(5);
  });

  it.each([
    ['keys', Array.from({ length: 20_000 }, (_, index) => `k${index}: 1`).join('\n'), 'the file'],
    ['pools', `pools: [${'1,'.repeat(20_000)}]`, 'pools'],
    ['devices', withLines().replace('[0]', `[${'0,'.repeat(20_000)}]`), 'pools[0].devices'],
    ['variables', withLines('env:', ...Array.from({ length: 20_000 }, (_, index) => `  ${index}: 1`)), 'pools[0].env'],
  ])('such as one of 20,000 %s is refused quickly', (_, text, where) => {
    const started = performance.now();
    expect(mistakes(text)).toEqual([expect.stringMatching(/at most 1024 entries, found a (list|map)$/)]);
    expect(mistakes(text)[0]).toContain(`: ${where}: `);
    expect(performance.now() - started).toBeLessThan(10_000);
  });

  it('such as one that contains itself is refused', () => {
    expect(mistakes('pools: &a [*a]')).toEqual(['pools.yaml:1: pools[0]: expected a map, found a list']);
  });

  it('such as more than 1 MiB is refused unread', () => {
    expect(mistakes(`# ${'x'.repeat(1024 * 1024)}`)).toEqual(['pools.yaml: expected at most 1048576 bytes, found more']);
  });

  it('such as more than 1000 pools is refused; 1000 are not', () => {
    const many = (count: number): string =>
      `pools:\n${Array.from({ length: count }, (_, index) => `  - { id: p${index}, engine: llamacpp, model: m, devices: [${index % 64}] }`).join('\n')}`;
    expect(pools(many(1000))).toHaveLength(1000);
    expect(mistakes(many(1001))).toEqual(['pools.yaml:1: pools: expected at most 1000 pools, found a list']);
  });
});

describe('a file', () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'pools-file-'));
  });
  afterEach(() => rmSync(folder, { recursive: true }));
  const file = (): string => join(folder, 'pools.yaml');

  it('is read with its pools', () => {
    writeFileSync(file(), `\uFEFF${withLines()}`);
    expect(loadPools({ file: file(), explicit: true })).toMatchObject({ ok: true, pools: [{ id: 'pool-0' }], warnings: [] });
  });

  it('that is read again is parsed again when its text is another one, and only then', () => {
    const read = createPoolsReader({ file: file(), explicit: true });
    writeFileSync(file(), withLines());
    const first = read();
    writeFileSync(file(), withLines());
    expect(read()).toBe(first);
    writeFileSync(file(), 'pools: []\n');
    expect(read()).toMatchObject({ ok: true, pools: [] });
    rmSync(file());
    expect(read()).toMatchObject({ ok: false });
    writeFileSync(file(), withLines());
    expect(read()).toEqual(first);
  });

  it('without a pool is valid, with a warning', () => {
    writeFileSync(file(), 'pools: []\n');
    expect(loadPools({ file: file(), explicit: true })).toEqual({ ok: true, pools: [], warnings: [`${file()}: declares no pools`] });
  });

  it('that is not there means no pools and a warning, unless it was named', () => {
    expect(loadPools({ file: file(), explicit: false })).toEqual({
      ok: true,
      pools: [],
      warnings: [expect.stringContaining('there is no pools file')],
    });
    expect(loadPools({ file: file(), explicit: true })).toEqual({
      ok: false,
      mistakes: [`${file()}: expected the pools file that was named (POOL_MANAGERD_CONFIG, --pools), found none`],
    });
  });

  it('that is a folder, a FIFO or no text is a mistake and blocks nothing', () => {
    execFileSync('mkfifo', [file()]);
    writeFileSync(join(folder, 'binary'), Buffer.from([0xff, 0xfe, 0x00]));
    expect(loadPools({ file: file(), explicit: false })).toEqual({
      ok: false,
      mistakes: [`${file()}: cannot be read: expected a regular file, found another kind`],
    });
    expect(loadPools({ file: folder, explicit: false })).toMatchObject({ ok: false, mistakes: [expect.stringMatching(/regular file/)] });
    expect(loadPools({ file: join(folder, 'binary'), explicit: true })).toMatchObject({ ok: false, mistakes: [expect.stringMatching(/UTF-8/)] });
  });
});

it('no text and no JSON whatever makes it throw, and every mistake is one line', () => {
  const text = fc.oneof(
    fc.string({ unit: 'binary' }),
    fc.json(),
    fc.jsonValue().map((value) => JSON.stringify({ pools: [value] })),
    fc
      .record(
        {
          id: fc.jsonValue(),
          engine: fc.constantFrom('custom', 'llamacpp', 'x'),
          devices: fc.jsonValue(),
          custom: fc.jsonValue(),
          provisioning: fc.jsonValue(),
          restart: fc.jsonValue(),
          env: fc.jsonValue(),
        },
        { requiredKeys: [] },
      )
      .map((pool) => JSON.stringify({ pools: [pool] })),
    fc
      .array(
        fc.constantFrom('pools:', '- ', '\n', ' ', '&a', '*a', '{', '}', '[', ']', 'id: a', '? ', ': ', '"', "'", '|', '>', '#', '---', '!!', '\t'),
      )
      .map((parts) => parts.join('')),
  );
  fc.assert(
    fc.property(text, (given) => {
      for (const line of mistakes(given)) expect(line).not.toMatch(/[\n\r]/);
    }),
    { numRuns: 200 },
  );
});
