/** Pools are put into JSON once per change, and say what they would say written anew. */
import { expect, it } from 'vitest';
import { writtenList, writtenStatus } from '../../src/http/prepared.ts';
import { poolStatus } from '../kit/views.ts';

const text = (bytes: Uint8Array): string => new TextDecoder().decode(bytes);

it('a list says what its views say, in their order', () => {
  const pools = [poolStatus({ pool_id: 'a' }), poolStatus({ pool_id: 'ü' })];
  expect(JSON.parse(text(writtenList('node "1"', pools)))).toEqual({ node_id: 'node "1"', pools, count: 2 });
  expect(text(writtenList('n', []))).toBe('{"node_id":"n","pools":[],"count":0}');
});

it('the same view is written once, another one with the same pool again', () => {
  const status = poolStatus();
  expect(writtenStatus(status)).toBe(JSON.stringify(status));
  const changed = { ...status, slots_free: 0 };
  expect(writtenStatus(changed)).toBe(JSON.stringify(changed));
  const pools = [status];
  expect(writtenList('n', pools)).toBe(writtenList('n', pools));
  expect(text(writtenList('n', [changed]))).toContain('"slots_free":0');
  expect(text(writtenList('other', pools))).toContain('"node_id":"other"');
});
