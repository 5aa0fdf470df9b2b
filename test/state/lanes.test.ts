import { expect, it } from 'vitest';
import { makeLanes } from '../../src/state/lanes.ts';

const gate = () => {
  const { promise, resolve } = Promise.withResolvers<void>();
  return { opened: promise, open: resolve };
};

it('Of the jobs that wait, only the latest is done, after the one under way; all share its outcome', async () => {
  const lanes = makeLanes();
  const { opened, open } = gate();
  const done: string[] = [];
  const job = (name: string) => async () => void done.push(name);
  const first = lanes.latest('a', async () => {
    await opened;
    done.push('first');
  });
  const begun = Promise.resolve();
  await begun;
  const waiting = ['second', 'third', 'fourth'].map((name) => lanes.latest('a', job(name)));
  await lanes.latest('b', job('of another id'));
  open();
  await Promise.all([first, ...waiting]);
  expect(done).toEqual(['of another id', 'first', 'fourth']);
});

it('A job that fails tells those who asked for it, and the next is done all the same', async () => {
  const lanes = makeLanes();
  const failing = lanes.latest('a', () => Promise.reject(new Error('disk')));
  const reading = lanes.inTurn('a', async () => 'read');
  await expect(failing).rejects.toThrow('disk');
  expect(await reading).toBe('read');
});

it('Settled means that nothing is under way or waits, also what was asked for meanwhile', async () => {
  const lanes = makeLanes();
  const done: string[] = [];
  void lanes.latest('a', async () => {
    void lanes.latest('a', async () => void done.push('asked for meanwhile'));
  });
  await lanes.settled();
  expect(done).toEqual(['asked for meanwhile']);
  await lanes.settled();
});
