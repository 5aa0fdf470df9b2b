import { afterEach, describe, expect, it } from 'vitest';
import { createActor, setup } from 'xstate';
import { type WatchGpusDeps, watchGpus } from '../../src/actors/watch-gpus.ts';
import type { GpuEvent } from '../../src/machines/events.ts';
import { card, gib } from '../kit/gpu-facts.ts';
import { scriptedGpus } from '../kit/scripted-gpus.ts';
import { until } from '../kit/until.ts';

const hung = { code: 'driver_error', message: 'hangs' } as const;
let stop: (() => void) | undefined;
afterEach(() => stop?.());

const watching = (facts: Partial<WatchGpusDeps> = {}) => {
  const gpus = scriptedGpus();
  const heard: GpuEvent[] = [];
  const machine = setup({
    types: { events: {} as GpuEvent | { type: 'look' } },
    actors: { watchGpus: watchGpus({ source: gpus.source, intervalMs: 60_000, readDeadlineMs: 1_000, ...facts }) },
    actions: {
      hear: ({ event }) => {
        if (event.type !== 'look') heard.push(event);
      },
    },
  }).createMachine({
    invoke: { id: 'gpus', src: 'watchGpus', input: {} },
    on: { look: { actions: ({ self }) => self.getSnapshot().children['gpus']?.send({ type: 'gpus.look' }) }, '*': { actions: 'hear' } },
  });
  const actor = createActor(machine);
  stop = () => actor.stop();
  const types = (): string[] => heard.map(({ type }) => type);
  const look = async (): Promise<void> => {
    const before = heard.length;
    actor.send({ type: 'look' });
    await until('a look to be told', () => heard.length > before);
  };
  return { gpus, heard, types, look, actor, start: () => actor.start() };
};

describe('watching the cards', () => {
  it('looks at once, tells structure once and samples after that', async () => {
    const { gpus, heard, types, look, start } = watching();
    gpus.say([card(0)]);
    start();
    await until('the first look', () => heard.length === 1);
    gpus.say([card(0, { memoryUsedBytes: 5 * gib, temperatureC: 70, processes: [{ pid: 1, usedBytes: 1 }] })]);
    await look();
    expect(types()).toEqual(['gpu.discovered', 'gpu.sampled']);
    expect(heard[1]).toMatchObject({ at: expect.any(Number), mono: expect.any(Number), inventory: { gpus: [{ temperatureC: 70 }] } });
  });

  it.each([
    ['a card came', [card(0), card(1)]],
    ['a card went', []],
    ['cards were renumbered', [card(1, { uuid: 'GPU-0' })]],
    ['a card was replaced', [card(0, { uuid: 'GPU-9' })]],
    ['a card has another size', [card(0, { memoryTotalBytes: 16 * gib })]],
    ['a card went into MIG mode', [card(0, { mig: [] })]],
  ])('tells structure again when %s', async (_what, next) => {
    const { gpus, heard, types, look, start } = watching();
    gpus.say([card(0)]);
    start();
    await until('the first look', () => heard.length === 1);
    gpus.say(next);
    await look();
    await look();
    expect(types().filter((type) => type !== 'gpu.checked')).toEqual(['gpu.discovered', 'gpu.discovered', 'gpu.sampled']);
  });

  it('tells a failed look, and structure after blindness', async () => {
    const { gpus, heard, types, look, start } = watching();
    gpus.say([card(0)]);
    start();
    await until('the first look', () => heard.length === 1);
    gpus.say(hung);
    await look();
    gpus.say([card(0)]);
    await look();
    expect(types()).toEqual(['gpu.discovered', 'gpu.probeFailed', 'gpu.discovered']);
    expect(heard[1]).toMatchObject({ cause: hung });
  });

  it('tells what is the matter with a card before it is missing, once, and at every look of one that is attended', async () => {
    const { gpus, heard, types, look, start, actor } = watching();
    const [sound, lost] = [card(1, { pciAddress: '00000000:02:00.0' }), 'Unable to determine the device handle for GPU 0000:02:00.0: GPU is lost.'];
    gpus.say([card(0), sound]);
    start();
    await until('the first look', () => heard.length === 1);
    gpus.say({ code: 'gpu_lost', message: 'nvidia-smi failed', details: { output: lost } });
    await look();
    gpus.say([card(0)]);
    await look();
    await look();
    expect(types()).toEqual(['gpu.discovered', 'gpu.checked', 'gpu.probeFailed', 'gpu.discovered', 'gpu.sampled']);
    expect(heard[1]).toMatchObject({ uuid: 'GPU-1', finding: { kind: 'away', cause: { code: 'gpu_lost' } } });
    actor.getSnapshot().children['gpus']?.send({ type: 'gpus.attend', uuids: ['GPU-1'] });
    gpus.say([card(0), sound]);
    await look();
    await look();
    expect(types().slice(5)).toEqual(['gpu.checked', 'gpu.discovered', 'gpu.checked', 'gpu.sampled']);
    expect(heard.at(-2)).toMatchObject({ uuid: 'GPU-1', finding: { kind: 'sound' } });
  });

  it('tells of a card that is not well when it is seen for the first time', async () => {
    const { gpus, heard, types, start } = watching();
    gpus.say([card(0, { recoveryAction: 'Reset' }), card(1)]);
    start();
    await until('the first look', () => heard.length === 2);
    expect(types()).toEqual(['gpu.discovered', 'gpu.checked']);
    expect(heard[1]).toMatchObject({ uuid: 'GPU-0', finding: { kind: 'demanding', action: 'reset' } });
  });

  it('goes on at its interval, also when the cards cannot be read', async () => {
    const { gpus, heard, start } = watching({ intervalMs: 5 });
    gpus.say(hung);
    start();
    await until('three looks', () => heard.length >= 3);
  });

  it('never reads twice at once: looks asked for during a read become one look after it', async () => {
    const { gpus, heard, actor, start } = watching();
    gpus.say([card(0)]);
    const letGo = gpus.hold();
    start();
    await until('the read to begin', () => gpus.reads.outstanding === 1);
    for (let asked = 0; asked < 5; asked += 1) actor.send({ type: 'look' });
    letGo();
    await until('both looks', () => heard.length === 2);
    expect(gpus.reads).toEqual({ count: 2, outstanding: 0, mostOutstanding: 1 });
  });

  it('names the pool of each process where that can be told', async () => {
    const { gpus, heard, start } = watching({ owners: async () => new Map([[7, 'pool-0']]) });
    gpus.say([
      card(0, {
        processes: [
          { pid: 7, usedBytes: 1 },
          { pid: 8, usedBytes: 1 },
        ],
      }),
    ]);
    start();
    await until('the first look', () => heard.length === 1);
    expect(heard[0]).toMatchObject({
      inventory: {
        gpus: [
          {
            processes: [
              { pid: 7, poolId: 'pool-0' },
              { pid: 8, poolId: null },
            ],
          },
        ],
      },
    });
  });

  it('is silent once stopped, also about a read under way', async () => {
    const { gpus, heard, actor, start } = watching({ intervalMs: 1 });
    const letGo = gpus.hold();
    start();
    await until('the read to begin', () => gpus.reads.outstanding === 1);
    actor.stop();
    letGo();
    await until('the read to end', () => gpus.reads.outstanding === 0);
    await new Promise((resolve) => setImmediate(resolve));
    expect(heard).toEqual([]);
    expect(gpus.reads.count).toBe(1);
  });
});
