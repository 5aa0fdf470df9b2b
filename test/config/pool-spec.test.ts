/** A pool over the API: declared whole, changed in part, and what makes its engine another. */
import fc from 'fast-check';
import { describe, expect, expectTypeOf, it } from 'vitest';
import type { ConfigTools } from '../../src/cli/context.ts';
import { changeSpec, parsePoolSpec } from '../../src/config/pool-spec.ts';
import { hashSpec } from '../../src/config/spec-hash.ts';
import type { configTools } from '../../src/config/tools.ts';
import type { ParsePoolSpec } from '../../src/http/ports.ts';
import type { PoolSpec } from '../../src/machines/vocabulary.ts';

const declaration = { id: 'pool-0', engine: 'llamacpp', model: '/m.gguf', devices: [0], slots: 4, ctx: 8192 };

const specOf = (value: unknown): PoolSpec => {
  const result = parsePoolSpec(value);
  if (!result.ok) throw new Error(JSON.stringify(result.mistakes));
  return result.spec;
};
const changed = (changes: Readonly<Record<string, unknown>>): PoolSpec => {
  const result = changeSpec(specOf(declaration), changes);
  if (!result.ok) throw new Error(result.mistakes.join('\n'));
  return result.spec;
};
const refused = (changes: Readonly<Record<string, unknown>>): readonly string[] => {
  const result = changeSpec(specOf(declaration), changes);
  return result.ok ? [] : result.mistakes;
};

it('is what the HTTP rim and the command line ask for', () => {
  expectTypeOf(parsePoolSpec).toExtend<ParsePoolSpec>();
  expectTypeOf<typeof configTools>().toExtend<ConfigTools>();
});

describe('a declaration', () => {
  it('gets the same defaults as one in the file, and stays what it is when it is read again', () => {
    const spec = specOf(declaration);
    expect(spec).toMatchObject({ slots: 4, host: '127.0.0.1', provisioning: { mode: 'external', executable: null } });
    expect(specOf(JSON.parse(JSON.stringify(spec)))).toEqual(spec);
  });

  it('names each mistake by key, value and expectation', () => {
    expect(parsePoolSpec({ ...declaration, slots: 0, health: { failurs: 1 }, devices: [0, 0] })).toEqual({
      ok: false,
      mistakes: [
        { key: 'health.failurs', value: 'failurs', expected: 'a known key (did you mean failures?)' },
        { key: 'devices[1]', value: 0, expected: 'each GPU once' },
        { key: 'slots', value: 0, expected: 'a whole number of requests from 1 to 1024' },
      ],
    });
  });

  it('shows no value of the environment', () => {
    const result = parsePoolSpec({ ...declaration, env: { KEY: 'canary\0' } });
    expect(result.ok).toBe(false);
    expect(JSON.stringify(result)).not.toContain('canary');
  });

  it.each([[null], [[]], ['pool-0'], [7]])('that is %j is no map', (value) => {
    expect(parsePoolSpec(value)).toMatchObject({ ok: false, mistakes: [{ key: 'pool', value, expected: 'a map' }] });
  });

  it('cannot smuggle a prototype in', () => {
    expect(parsePoolSpec(JSON.parse('{"id":"a","engine":"llamacpp","model":"m","devices":[0],"__proto__":{"slots":9}}'))).toMatchObject({
      ok: false,
      mistakes: [{ key: '__proto__' }],
    });
  });

  it('never throws, and is never refused without a reason, whatever it is', () => {
    fc.assert(
      fc.property(
        fc.oneof(
          fc.anything(),
          fc.jsonValue(),
          fc.anything().map((value) => ({ ...declaration, provisioning: value, custom: value })),
        ),
        (value) => {
          const result = parsePoolSpec(value);
          if (!result.ok) expect(result.mistakes).not.toEqual([]);
        },
      ),
      { numRuns: 1000 },
    );
  });
});

describe('a reload', () => {
  it('replaces the model, by either name', () => {
    expect(changed({ new_model_ref: '/other.gguf' })).toEqual({ ...specOf(declaration), model: '/other.gguf' });
    expect(changed({ model: '/other.gguf' })).toEqual(changed({ new_model_ref: '/other.gguf' }));
    expect(refused({ model: '/a', new_model_ref: '/b' })).toEqual(['new_model_ref: expected this or model, found both; they mean the same']);
  });

  it('keeps the limits it does not name', () => {
    expect(changed({ timeouts: { drain_ms: 5 } }).timeouts).toEqual({ ...specOf(declaration).timeouts, drain_ms: 5 });
  });

  it('takes a key back by null', () => {
    expect(changed({ ctx: null }).ctx).toBeNull();
    expect(refused({ slots: null })).toEqual(['slots: expected a whole number of requests from 1 to 1024, found nothing']);
  });

  it('is judged as a whole', () => {
    expect(refused({ tensor_split: [0.5, 0.5] })).toEqual(['tensor_split: expected one share for each device, found a list']);
    expect(changed({ tensor_split: [0.5, 0.5], devices: [0, 1] })).toMatchObject({ devices: [0, 1] });
    expect(refused({ engine: 'custom' })).toEqual(['custom: expected a map with at least health_path, since engine is custom, found nothing']);
  });

  it('does not change the id', () => {
    expect(refused({ id: 'pool-1', slots: 0 })).toEqual([
      'id: expected pool-0, which a reload does not change, found "pool-1"',
      'slots: expected a whole number of requests from 1 to 1024, found 0',
    ]);
    expect(refused({ id: 'pool-0' })).toEqual([]);
  });

  it('names keys that there are none of', () => {
    expect(refused({ modl: 'x' })).toEqual(['modl: expected a known key (did you mean model?), found "modl"']);
  });
});

describe('the hash of a spec', () => {
  const hash = hashSpec(specOf(declaration));

  it('is the same from one version to the next, so that an upgrade reloads nothing', () => {
    expect(hash).toBe('5f98d8be15d70028');
  });

  it('does not depend on the order of keys, or on keys of a later version that are null', () => {
    const spec = specOf(declaration);
    const reversed = Object.fromEntries(Object.entries(spec).reverse());
    expect(hashSpec({ ...spec, ...reversed })).toBe(hash);
    expect(hashSpec(specOf(Object.fromEntries(Object.entries(declaration).reverse())))).toBe(hash);
    expect(hashSpec(Object.assign({}, spec, { later: null }))).toBe(hash);
    expect(hashSpec({ ...spec, env: { A: '1', B: '2' } })).toBe(hashSpec({ ...spec, env: { B: '2', A: '1' } }));
  });

  it.each([
    [{ model: '/other.gguf' }],
    [{ devices: [1] }],
    [{ slots: 5 }],
    [{ ctx: null }],
    [{ host: '::1' }],
    [{ api_key_file: '/k' }],
    [{ quant: 'q4' }],
    [{ tensor_split: [1] }],
    [{ env: { A: '1' } }],
    [{ flags: ['--a'] }],
    [{ ports: [8080] }],
    [{ provisioning: { mode: 'external', executable: '/x' } }],
    [{ model_source: { ref: 'x' } }],
    [{ engine: 'vllm' }],
  ])('is another after %j, which needs a new engine', (changes) => {
    expect(hashSpec(changed(changes))).not.toBe(hash);
  });

  it.each([[{ preload: false }], [{ timeouts: { drain_ms: 1 } }], [{ health: { failures: 9 } }], [{ restart: { max_restarts: 2 } }]])(
    'is the same after %j, which the daemon applies by itself',
    (changes) => {
      expect(changed(changes)).not.toEqual(specOf(declaration));
      expect(hashSpec(changed(changes))).toBe(hash);
    },
  );

  it('tells lists by their order', () => {
    expect(hashSpec(changed({ devices: [0, 1] }))).not.toBe(hashSpec(changed({ devices: [1, 0] })));
  });
});
