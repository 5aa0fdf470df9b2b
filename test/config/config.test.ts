/** Environment, token file and pools file together; what is generated from their schemas is as it is committed. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Ajv } from 'ajv';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { type ConfigResult, readConfig } from '../../src/config/config.ts';
import { configurationDocs } from '../../src/config/docs.ts';
import { examplePools } from '../../src/config/example.ts';
import { poolsJsonSchema, poolsJsonSchemaText } from '../../src/config/json-schema.ts';
import { parsePools } from '../../src/config/pools-file.ts';
import type { Env } from '../../src/config/read-environment.ts';
import { configTools } from '../../src/config/tools.ts';
import { variableNames } from '../../src/config/variables.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'config-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

const write = (name: string, text: string): string => {
  const file = join(folder, name);
  writeFileSync(file, text, { mode: 0o600 });
  return file;
};
const read = (env: Env): ConfigResult => readConfig(env, { hostname: 'gpu-1', home: folder, cwd: folder });

describe('the configuration', () => {
  it('of nothing at all is a node without pools, and says so', () => {
    expect(read({})).toMatchObject({
      ok: true,
      config: { environment: { nodeId: 'gpu-1' }, pools: [], warnings: [expect.stringContaining('there is no pools file')] },
    });
  });

  it('has pools, token and environment', () => {
    write('pools.yaml', 'pools: [{ id: a, engine: llamacpp, model: m, devices: [0] }]');
    const result = read({ LLORCH_API_TOKEN_FILE: write('token', 'b7c1e09d55aa4e21\n'), POOL_MANAGERD_BIND_ADDR: '0.0.0.0:9200' });
    expect(result).toMatchObject({ ok: true, config: { pools: [{ id: 'a' }], warnings: [expect.stringContaining('the network sees the token')] } });
    expect(result.ok && result.config.token.current()).toBe('b7c1e09d55aa4e21');
  });

  it('names the mistakes of environment, token file and pools file at once', () => {
    const pools = write('pools.yaml', 'pools:\n  - id: a\n    slots: 0\n');
    const result = read({
      POOL_MANAGERD_LOG_LEVEL: 'loud',
      POOL_MANAGERD_BIND_ADDR: '0.0.0.0:9200',
      LLORCH_API_TOKEN_FILE: write('token', 'short'),
    });
    expect(result.ok ? [] : result.mistakes).toEqual([
      expect.stringMatching(/^POOL_MANAGERD_LOG_LEVEL: /),
      expect.stringMatching(/^LLORCH_API_TOKEN_FILE: /),
      expect.stringMatching(`^${pools}:2: pools\\[0\\].engine: `),
      expect.stringMatching(`^${pools}:2: pools\\[0\\].devices: `),
      expect.stringMatching(`^${pools}:3: pools\\[0\\].slots: `),
    ]);
  });
});

describe('what is generated', () => {
  const committed = (...path: readonly string[]): string => readFileSync(join(import.meta.dirname, '..', '..', ...path), 'utf8');

  it('is committed as it is', () => {
    expect(committed('docs', 'schemas', 'pools.schema.json'), 'stale: node tools/write-config-schema.ts').toBe(poolsJsonSchemaText());
    expect(committed('docs', 'configuration.md'), 'stale: node tools/write-config-docs.ts').toBe(configurationDocs());
    expect(committed('examples', 'pools.yaml'), 'stale: node tools/write-config-docs.ts').toBe(examplePools);
  });

  it('has every variable in the reference, each with its meaning', () => {
    const rows = configurationDocs()
      .split('\n')
      .filter((line) => line.startsWith('| `'));
    for (const name of variableNames)
      expect(
        rows.some((row) => row.startsWith(`| \`${name}\` |`)),
        name,
      ).toBe(true);
    expect(rows.filter((row) => /\|\s*\||undefined/.test(row))).toEqual([]);
  });
});

describe('the example', () => {
  const validate = new Ajv({ strict: false }).compile(poolsJsonSchema());

  it('is a valid pools file, for the daemon and for editors', () => {
    expect(parsePools(examplePools, { file: 'example' })).toMatchObject({ ok: true, warnings: [] });
    expect(validate(parse(examplePools)), JSON.stringify(validate.errors)).toBe(true);
  });

  it('names the schema beside it', () => {
    const [, path = ''] = /^# yaml-language-server: \$schema=(\S+)/.exec(examplePools) ?? [];
    expect(JSON.parse(readFileSync(join(import.meta.dirname, '..', '..', 'examples', path), 'utf8'))).toEqual(poolsJsonSchema());
  });

  it.each([
    ['slots: 4', 'slots: 0'],
    ['slots: 4', 'slotz: 4'],
    ['devices: [0]', 'devices: []'],
    ['mode: external', 'mode: magic'],
    ['engine: llamacpp', 'engine: other'],
    ["OMP_NUM_THREADS: '4'", "1X: '4'"],
    ['version: 1', 'version: 2'],
  ])('is no longer valid for either with %s → %s', (right, wrong) => {
    const text = examplePools.replace(right, wrong);
    expect(parsePools(text, { file: 'example' }).ok).toBe(false);
    expect(validate(parse(text))).toBe(false);
  });
});

describe('the tools of the command line', () => {
  it('check a file, and throw when it cannot be read', async () => {
    expect(await configTools.check(write('good.yaml', examplePools))).toEqual([]);
    expect(await configTools.check(write('bad.yaml', 'pools: 1'))).toEqual([
      `${join(folder, 'bad.yaml')}:1: pools: expected a list of pools, found 1`,
    ]);
    await expect(configTools.check(join(folder, 'none.yaml'))).rejects.toThrow('ENOENT');
  });

  it('give schema and example', () => {
    expect(configTools.schema()).toEqual(poolsJsonSchema());
    expect(parsePools(configTools.example(), { file: 'example' })).toMatchObject({ ok: true });
    expect(configTools.example().split('\n').slice(1)).toEqual(examplePools.split('\n').slice(1));
  });
});
