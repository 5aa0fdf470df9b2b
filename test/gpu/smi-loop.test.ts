/** Looks from one nvidia-smi that goes on: what changes comes from it, everything else from whole looks. */
import { describe, expect, it, onTestFinished, type TestContext } from 'vitest';
import { isCause } from '../../src/cause.ts';
import { nvidiaSmi } from '../../src/gpu/nvidia-smi.ts';
import type { Follower } from '../../src/gpu/source.ts';
import type { Cause, Inventory } from '../../src/machines/vocabulary.ts';
import { mib } from '../kit/gpu-facts.ts';
import { fakeNvidiaSmi, type Scenario, uuidOf } from '../kit/nvidia-smi.ts';
import { until } from '../kit/until.ts';

const following = async (t: Pick<TestContext, 'onTestFinished'>, scenario: Scenario, intervalMs = 40, deadlineMs = 10_000) => {
  const fake = await fakeNvidiaSmi(scenario);
  const source = nvidiaSmi({ env: fake.env });
  const heard: (Inventory | Cause)[] = [];
  const follower: Follower = source.follow?.({ intervalMs, deadlineMs, hear: (look) => heard.push(look) }) ?? expect.fail('it does not follow');
  t.onTestFinished(async () => {
    follower.stop();
    source.close();
    await fake.remove();
  });
  const good = (): readonly Inventory[] => heard.flatMap((look) => (isCause(look) ? [] : [look]));
  const calls = async (part: string): Promise<number> => (await fake.runs()).filter(({ argv }) => argv.includes(part)).length;
  return {
    fake,
    source,
    heard,
    good,
    loops: () => calls('--loop-ms'),
    /** Whole looks. */
    wholes: () => calls('--query-compute-apps'),
    more: async (looks: number): Promise<void> => {
      const before = heard.length;
      await until(`${looks} more looks`, () => heard.length >= before + looks, 15_000);
    },
  };
};
const used = { usedMiB: 2_000, processes: [{ pid: 77, usedMiB: 2_000 }] };

describe('a driver that answers', () => {
  it('costs one process for many looks, which tell what the whole look told and what changed since', async (t) => {
    const { fake, good, loops, wholes, more } = await following(t, { cards: [used, {}] });
    await more(6);
    expect([await loops(), await wholes()]).toEqual([1, 1]);
    await fake.play({ cards: [{ ...used, cells: { 'temperature.gpu': '83' } }, {}] });
    await until('the new temperature', () => good().at(-1)?.gpus[0]?.temperatureC === 83);
    expect(good().at(-1)).toMatchObject({
      source: 'nvidia-smi',
      driverVersion: '590.48.01',
      gpus: [
        { uuid: uuidOf(0), memoryUsedBytes: 2_000 * mib, processes: [{ pid: 77, usedBytes: 2_000 * mib }] },
        { uuid: uuidOf(1), processes: [] },
      ],
    });
    const times = good().map(({ mono }) => mono);
    expect(times).toEqual([...times].sort((one, other) => one - other));
    expect([await loops(), await wholes()]).toEqual([1, 1]);
  });

  it('is asked for everything once memory in use has changed, or more is wanted, by processes besides', async (t) => {
    const { fake, source, good, loops, wholes, more } = await following(t, { cards: [used] });
    await more(2);
    await fake.play({ cards: [{ usedMiB: 100, processes: [{ pid: 78, usedMiB: 100 }] }] });
    await until('the other process', () => good().at(-1)?.gpus[0]?.processes[0]?.pid === 78);
    source.wantDeep?.();
    await until('what changes slowly', () => good().at(-1)?.gpus[0]?.deep != null);
    await more(2);
    expect(good().at(-1)?.gpus[0]?.deep).not.toBeNull();
    expect([await loops(), await wholes()]).toEqual([1, 3]);
  });
});

describe('cards that are not well', () => {
  it('are asked for one by one, so that nobody holds them open, until they are', async (t) => {
    const { fake, good, loops, wholes, more } = await following(t, { cards: [{}] });
    await more(3);
    await fake.play({ cards: [{ cells: { gpu_recovery_action: 'Reset' } }] });
    await until('it to be told', () => good().at(-1)?.gpus[0]?.recoveryAction === 'Reset');
    const before = await wholes();
    await more(3);
    expect(await loops()).toBe(1);
    expect(await wholes()).toBeGreaterThan(before);
    const pid = (await fake.runs()).find(({ argv }) => argv.includes('--loop-ms'))?.pid ?? 0;
    await until('the process to be gone', () => !exists(pid));
    await fake.play({ cards: [{}] });
    await until('another process', async () => (await loops()) === 2);
  });

  it.each([
    ['with a remark in its place', { message: 'Unable to determine the device handle for GPU 0000:01:00.0: GPU is lost.' }],
    ['without a word', {}],
  ])('are noticed when they are not listed any more, %s', async (_how, said) => {
    const { fake, good, more } = await following({ onTestFinished }, { cards: [{}, {}] });
    await more(3);
    await fake.play({ cards: [{}], ...said });
    await until('one card', () => good().at(-1)?.gpus.length === 1);
  });
});

describe('a process that does not go on', () => {
  it('is silent when the driver hangs: told by its deadline, and ended', async (t) => {
    const { fake, heard, more } = await following(t, { cards: [{}] }, 40, 400);
    await more(3);
    await fake.play({ cards: [{}], hang: 'ignore_term' });
    await until('it to be told', () => isCause(heard.at(-1) ?? {}));
    expect(heard.at(-1)).toMatchObject({
      code: 'driver_error',
      message: expect.stringContaining('--loop-ms=40'),
      details: { hanging_ms: expect.any(Number) },
    });
    await fake.play({ cards: [{}] });
    await until('a good look', () => !isCause(heard.at(-1) ?? {}));
  });

  it('is not started again at once: looks are made one by one meanwhile', async (t) => {
    const { fake, loops, wholes, more } = await following(t, { cards: [{}] });
    await more(3);
    process.kill((await fake.runs()).find(({ argv }) => argv.includes('--loop-ms'))?.pid ?? 0, 'SIGKILL');
    const before = await wholes();
    await more(5);
    expect(await loops()).toBe(1);
    expect(await wholes()).toBeGreaterThan(before);
  });
});

const exists = (pid: number): boolean => {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
};
