/** Ten thousand handoff files and endpoints that nobody meant well. */
import { connect } from 'node:net';
import { relative } from 'node:path';
import { constantFrom, tuple } from 'fast-check';
import { describe, expect, it } from 'vitest';
import { handoffPath } from '../../src/actors/handoff/file-name.ts';
import { parseHandoff } from '../../src/actors/handoff/parse.ts';
import { judgeEndpoint } from '../../src/engines/endpoint.ts';
import { growthOver } from './memory.ts';
import { cases, manyOf, mixed, nearly } from './mutations.ts';

const rules = { allowedHosts: [], refusedPorts: [9200] };
const isLoopback = (address: string): boolean => /^127\.\d+\.\d+\.\d+$|^::1$/.test(address);

const hosts = [
  '127.0.0.1',
  'localhost',
  '[::1]',
  '127.1',
  '0x7f.1',
  '2130706433',
  '0.0.0.0',
  '169.254.169.254',
  '[::ffff:10.0.0.1]',
  'evil.example',
  'user@',
];
const endpoints = manyOf(
  tuple(
    constantFrom('http://', 'http://', 'http://', 'https://', 'http:', ''),
    constantFrom(...hosts),
    constantFrom(':8081', ':80', ':1', ':9200', ''),
    mixed(['', '', '/'], 2),
  ).map((parts) => parts.join('')),
);
const files = manyOf(
  nearly({
    endpoint: ['http://127.0.0.1:8081', 'http://localhost:1', 'http://[::1]:80', 'http://10.0.0.1:80', 'http://127.1:80'],
    url: ['http://127.0.0.1:8082'],
    pool_id: ['pool-0', 'a', 'b-2', 'a--b', '../pool-0', 'a/b', '..'],
    replica_id: ['r0', 'r1', 'r2', '../r'],
    slots: [1, 4, 8, 1024, 1025],
    gpu_device: [0, 1, 2, 63, 64],
    device_mask: ['0', '0,1', '2', '0,'],
    ready: [true, false],
    pid: [1, 4242],
    engine: ['llamacpp', 'vllm'],
    model: ['m', { id: 'm', path: '/p' }],
    incarnation: ['0123456789abcdef'],
  }),
);

describe('Ten thousand', () => {
  it('handoff files never break the reader, lead out of their folder, or past loopback (S10, S12, S19, S20)', async () => {
    const kinds = new Map<string, number>();
    let slowest = 0;
    for (const text of files) {
      const begun = performance.now();
      const parsed = parseHandoff('f.json', text, rules);
      slowest = Math.max(slowest, performance.now() - begun);
      kinds.set(parsed.kind, (kinds.get(parsed.kind) ?? 0) + 1);
      if (parsed.kind !== 'handoff') continue;
      const { endpoint, poolId, slotsTotal, devices } = parsed.handoff;
      expect(isLoopback(new URL(endpoint).hostname.replace(/^\[|\]$/g, '')), endpoint).toBe(true);
      expect(relative('/run/engines', handoffPath('/run/engines', poolId))).toBe(`${poolId}-r0.json`);
      expect(slotsTotal === null || (Number.isInteger(slotsTotal) && slotsTotal >= 1 && slotsTotal <= 1024), text).toBe(true);
      expect(
        devices.every((device) => Number.isInteger(device) && device >= 0 && device <= 63 && !Object.is(device, -0)),
        text,
      ).toBe(true);
      expect(Object.getPrototypeOf(parsed.handoff)).toBe(Object.prototype);
    }
    expect(files).toHaveLength(cases);
    expect(Object.keys(Object.prototype)).toEqual([]);
    // Each kind of end was come to, or the cases would prove little.
    for (const kind of ['handoff', 'invalid', 'torn']) expect(kinds.get(kind) ?? 0, kind).toBeGreaterThan(300);
    // The largest takes 2 ms on a quiet machine; what must not be is a text that takes minutes.
    expect(slowest).toBeLessThan(2_000);
    // Now that all of it is warm, what is left of a second round is what it costs.
    const grown = await growthOver(() => {
      for (const text of files) parseHandoff('f.json', text, rules);
    });
    expect(grown).toBeLessThan(2 * 1024 * 1024);
  });

  it('endpoints make no connection but to loopback (S10)', async () => {
    const accepted = [...new Set(endpoints.flatMap((text) => judgeEndpoint(text, rules).endpoint ?? []))];
    expect(accepted.length).toBeGreaterThan(5);
    const attempts: string[] = [];
    for (const endpoint of accepted) {
      const { hostname, port } = new URL(endpoint);
      // As ask-engine.ts connects.
      const socket = connect({ host: hostname.replace(/^\[|\]$/g, ''), port: Number(port || 80) });
      socket.on('connectionAttempt', (address: string) => attempts.push(address));
      socket.on('lookup', (_error, _address, _family, host: string) => attempts.push(`resolved ${host}`));
      await new Promise<void>((resolve) => {
        socket.once('connect', () => resolve()).once('error', () => resolve());
      });
      socket.destroy();
    }
    expect(attempts.length).toBeGreaterThanOrEqual(accepted.length);
    expect(attempts.filter((address) => !isLoopback(address))).toEqual([]);
  });
});
