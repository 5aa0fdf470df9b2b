import { anything, assert, constantFrom, double, oneof, property, record, string } from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseHandoff } from '../../src/actors/handoff/parse.ts';

const rules = { allowedHosts: ['gpu-7'] };
const parse = (value: unknown) => parseHandoff('f.json', typeof value === 'string' ? value : JSON.stringify(value), rules);
const read = (value: unknown) => {
  const parsed = parse(value);
  return parsed.kind === 'handoff' ? parsed.handoff : parsed;
};
const least = { endpoint: 'http://127.0.0.1:8081' };

describe('The spellings of a handoff', () => {
  it('name the berth of an engine of ours, and of nobody else', () => {
    expect(read({ ...least, pool_id: 'a', berth: 'a--b', incarnation: 'i' })).toMatchObject({ poolId: 'a--b', incarnation: 'i' });
    expect(read({ ...least, pool_id: 'a', berth: 'b--b' })).toMatchObject({ poolId: 'a' });
    expect(read({ ...least, pool_id: 'a--b' })).toMatchObject({ kind: 'invalid', message: expect.stringContaining('second engine of a pool') });
  });

  it('has defaults for all but the endpoint', () => {
    expect(read(least)).toEqual({
      file: 'f.json',
      poolId: 'default',
      replicaId: 'r0',
      engine: null,
      engineVersion: null,
      endpoint: 'http://127.0.0.1:8081',
      devices: [],
      slotsTotal: null,
      ready: true,
      modelId: null,
      pid: null,
      pidStartTime: null,
      incarnation: null,
    });
  });

  it.each([
    [{ url: 'http://localhost:1' }, { endpoint: 'http://127.0.0.1:1' }],
    [{ http_endpoint: 'http://gpu-7:1' }, { endpoint: 'http://gpu-7:1' }],
    [{ ...least, slots_total: 4, slots_free: 2 }, { slotsTotal: 4 }],
    [{ ...least, slots: 3 }, { slotsTotal: 3 }],
    [{ ...least, device_mask: '0,11' }, { devices: [0, 11] }],
    [{ ...least, gpu_device: 2 }, { devices: [2] }],
    [{ ...least, device_mask: '', gpu_device: null }, { devices: [] }],
    [{ ...least, model: { id: 'm', path: '/p' } }, { modelId: 'm' }],
    [{ ...least, model: { path: '/p' }, metadata: {} }, { modelId: '/p' }],
    [
      { ...least, model: 'm', flags: ['x'], provisioning_mode: 'source', engine_version: 'b1', pid: 7 },
      { modelId: 'm', engineVersion: 'b1', pid: 7 },
    ],
    [
      { ...least, ready: false, replica_id: 'r1', incarnation: 'n' },
      { ready: false, replicaId: 'r1', incarnation: 'n' },
    ],
  ])('%j is understood', (value, handoff) => {
    expect(read(value)).toMatchObject(handoff);
  });

  it('leaves a note of a model provisioner alone', () => {
    expect(parse({ model: { id: 'm' }, metadata: {} })).toEqual({ kind: 'note' });
  });

  it('takes what is not JSON for not yet there', () => {
    expect(parse('{"pool_id":"a"').kind).toBe('torn');
    expect(parse('').kind).toBe('torn');
  });

  it.each([
    { slots: 0 },
    { slots: 1025 },
    { slots: 1.5 },
    { slots: '4' },
    { gpu_device: 64 },
    { gpu_device: -1 },
    { device_mask: '0,' },
    { device_mask: 'all' },
    { ready: 'yes' },
    { pool_id: 'A' },
    { pool_id: '' },
    { pool_id: 'a'.repeat(64) },
    { replica_id: '../r' },
    { pid: 0 },
    { pid_start_time: 2 ** 53 },
    { incarnation: 'x'.repeat(200) },
    { endpoint: 8081 },
    { endpoint: 'http://10.0.0.1:80' },
  ])('refuses %j with a sentence', (value) => {
    expect(parse({ ...least, ...value })).toMatchObject({ kind: 'invalid', message: expect.stringMatching(/[Ee]xpected/) });
  });

  it.each(['1e309', '-0', '9007199254740993', '1e-7', 'NaN'])('refuses %s as a number', (number) => {
    expect(['invalid', 'torn']).toContain(parse(`{"endpoint":"http://127.0.0.1:1","gpu_device":${number}}`).kind);
  });

  it('takes nothing from __proto__ and leaves nobody changed', () => {
    const parsed = read('{"endpoint":"http://127.0.0.1:1","__proto__":{"polluted":true,"pool_id":"x"}}');
    expect(parsed).toMatchObject({ poolId: 'default' });
    expect(parsed).not.toHaveProperty('polluted');
    expect({}).not.toHaveProperty('polluted');
  });

  it('never throws, and lets no number through that is not a whole one in range', () => {
    const value = oneof(anything(), double(), string(), constantFrom(0, -0, 1, '1', null, true, 2 ** 53));
    assert(
      property(
        record({ slots: value, gpu_device: value, pid: value, ready: value, pool_id: value, model: value }, { requiredKeys: [] }),
        (fields) => {
          const handoff = read(JSON.stringify({ ...least, ...fields }, (_, given: unknown) => (typeof given === 'bigint' ? null : given)));
          if (!('poolId' in handoff)) return;
          expect(handoff.slotsTotal === null || (Number.isInteger(handoff.slotsTotal) && handoff.slotsTotal >= 1 && handoff.slotsTotal <= 1024)).toBe(
            true,
          );
          expect(handoff.devices.every((device) => Number.isInteger(device) && !Object.is(device, -0))).toBe(true);
          expect(handoff.poolId).toMatch(/^[a-z0-9-]{1,63}$/);
        },
      ),
      { numRuns: 1_000 },
    );
  });
});
