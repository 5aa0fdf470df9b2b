import { describe, expect, it } from 'vitest';
import { createInspector, type Observation } from '../../src/observe/observe.ts';
import { startSmallSystem } from '../kit/small-system.ts';
import { until } from '../kit/until.ts';

const record = () => {
  const seen: Observation[] = [];
  const inspector = createInspector([{ name: 'recorder', observe: (observation) => seen.push(observation) }]);
  const system = startSmallSystem(inspector.inspect);
  const of = (actorId: string) => seen.filter((observation) => observation.actorId === actorId);
  return { seen, system, of };
};

const run = async () => {
  const recorded = record();
  const pool = recorded.system.add('pool-0');
  pool.send({ type: 'pool.start' });
  pool.send({ type: 'pool.start' });
  await until('the pool to be ready', () => recorded.of('pool-0#1').some(({ to }) => to === 'ready.healthy'));
  return { ...recorded, pool };
};

describe('observations', () => {
  it('are one per event that a machine worked off, with the states before and after', async () => {
    const { of } = await run();
    expect(of('pool-0#1').map(({ event, from, to }) => [event.type, from, to])).toEqual([
      ['xstate.init', '', 'uninitialized.idle'],
      ['pool.start', 'uninitialized.idle', 'provisioning.engine'],
      ['pool.start', 'provisioning.engine', 'starting.spawning'],
      ['xstate.done.actor.spawn', 'starting.spawning', 'ready.healthy'],
    ]);
  });

  it('name sender, pool and incarnation, also where sends between actors interleave', async () => {
    const { of } = await run();
    expect(of('pool-0#1').map(({ source }) => source)).toEqual(['node', null, null, 'spawn']);
    expect(of('pool-0#1').at(-1)).toMatchObject({ machine: 'pool', poolId: 'pool-0', incarnation: 'inc-1', changed: true });
    const told = of('node').find(({ event }) => event.type === 'pool.changed');
    expect(told).toMatchObject({ machine: 'node', poolId: null, source: 'pool-0#1', changed: false });
  });

  it('write parallel states side by side', async () => {
    const { of } = await run();
    expect(of('node')[0]?.to).toBe('lifecycle.serving,gpus.known');
    expect(of('registration')[0]).toMatchObject({ machine: 'registration', to: 'registering' });
  });

  it('are of machines only: no promise or callback has one', async () => {
    const { seen } = await run();
    expect(new Set(seen.map(({ actorId }) => actorId))).toEqual(new Set(['node', 'pool-0#1', 'registration']));
  });

  it('mark samples', async () => {
    const { pool, of } = await run();
    pool.send({ type: 'engine.sampled', outcome: 'ok', at: 5 });
    expect(of('pool-0#1').at(-1)).toMatchObject({ sample: true, changed: false });
    expect(of('pool-0#1').filter(({ sample }) => sample)).toHaveLength(1);
  });

  it('tell the event that a machine died of', async () => {
    const { pool, of } = await run();
    pool.send({ type: 'pool.break' });
    expect(of('pool-0#1').at(-1)).toMatchObject({ failed: true, event: { type: 'pool.break' }, from: 'ready.healthy', to: 'ready.healthy' });
  });
});

describe('an observer that throws', () => {
  it('hurts neither the actor nor the observers after it, and is named once and counted', async () => {
    const told: string[] = [];
    const seen: Observation[] = [];
    const inspector = createInspector(
      [
        {
          name: 'broken',
          observe: () => {
            throw new Error('disk full');
          },
        },
        { name: 'whole', observe: (observation) => seen.push(observation) },
      ],
      { onFailure: (name, error) => told.push(`${name}: ${error instanceof Error ? error.message : ''}`) },
    );
    const system = startSmallSystem(inspector.inspect);
    const pool = system.add('pool-0');
    expect(() => pool.send({ type: 'pool.start' })).not.toThrow();
    pool.send({ type: 'pool.start' });
    await until('the pool to be ready', () => seen.some(({ to }) => to === 'ready.healthy'));
    expect(told).toEqual(['broken: disk full']);
    expect(inspector.failures().get('broken')).toBe(seen.length);
  });

  it('is not made worse by a teller of failures that throws too', () => {
    const inspector = createInspector(
      [
        {
          name: 'broken',
          observe: () => {
            throw new Error('x');
          },
        },
      ],
      {
        onFailure: () => {
          throw new Error('y');
        },
      },
    );
    expect(() => startSmallSystem(inspector.inspect).add('pool-0')).not.toThrow();
    expect(inspector.failures().get('broken')).toBeGreaterThan(1);
  });
});
