/**
 * Free ports for daemons of tests. Each process of the tests has a region of its own for as long as it lives, and goes through it
 * in turn: a port that is free while its daemon starts is nobody else's when its engine does.
 */
import { mkdirSync, openSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { isFree, type PortRun } from '../../src/demo/ports.ts';
import { flockNow } from '../../src/os/libc.ts';

export { isFree };

/** Below those that the kernel gives out by itself. */
const lowest = 20_000;
const size = 400;
const regions = 30;

interface Region {
  readonly first: number;
  next: number;
}
let own: Region | null = null;

/** Both ends included. */
export const freePorts = async (count: number): Promise<PortRun> => {
  own ??= claim();
  for (let tried = 0; tried < size; tried += count) {
    const first = own.next + count > own.first + size ? own.first : own.next;
    own.next = first + count;
    const free = await Promise.all(Array.from({ length: count }, (_, index) => isFree(first + index)));
    if (free.every(Boolean)) return { first, last: first + count - 1 };
  }
  throw new Error(`found no ${count} free ports in a row from ${own.first} to ${own.first + size - 1}`);
};

/** The lock ends with this process, however that ends. */
const claim = (): Region => {
  const dir = join(tmpdir(), 'pool-managerd-test-ports');
  mkdirSync(dir, { recursive: true });
  for (let region = 0; region < regions; region += 1) {
    if (flockNow(openSync(join(dir, String(region)), 'w')).kind === 'locked') return { first: lowest + region * size, next: lowest + region * size };
  }
  throw new Error(`found none of ${regions} regions of ports free in ${dir}: other runs of these tests hold them`);
};
