/** What was measured at earlier starts: known for the same spec only, kept over a restart, and asked before an estimate. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { createActor, toPromise } from 'xstate';
import { openLearnedNeeds } from '../../src/actors/learned-needs.ts';
import { measureGpus } from '../../src/actors/measure-gpus.ts';
import type { Cause, PoolSpec } from '../../src/machines/vocabulary.ts';
import { openStateStore } from '../../src/state/files.ts';
import { temporaryDir } from '../kit/engine-process.ts';
import { card, gib, gpuRun, gpuSpec } from '../kit/gpu-facts.ts';
import { scriptedGpus } from '../kit/scripted-gpus.ts';

const hashOf = ({ slots }: PoolSpec): string => `hash-${slots}`;
const spec = gpuSpec({ slots: 2 });
const run = gpuRun({ spec, specHash: hashOf(spec) });
const withMargin = (gibibytes: number): number => Math.ceil(gibibytes * gib * 1.05) + 256 * 1024 ** 2;

const opened = async (dir?: string) => {
  const stateDir = dir ?? join(await temporaryDir(), 'state');
  const troubles: Cause[] = [];
  const { learned: shelf } = await openStateStore(stateDir);
  return { stateDir, troubles, learned: await openLearnedNeeds({ shelf, hashOf, onTrouble: (cause) => void troubles.push(cause) }) };
};

describe('what an engine was measured to need', () => {
  it('is the most of its starts with a margin, and known to the next daemon', async () => {
    const { learned, stateDir } = await opened();
    expect(learned.needOf(spec)).toBeNull();
    await learned.note(run, 6 * gib);
    await learned.note({ ...run, poolId: 'pool-0--b' }, 8 * gib);
    await learned.note(run, 7 * gib);
    expect(learned.needOf(spec)).toBe(withMargin(8));
    const next = await opened(stateDir);
    expect(next.learned.needOf(spec)).toBe(withMargin(8));
    await next.learned.forget('pool-0');
    expect((await opened(stateDir)).learned.needOf(spec)).toBeNull();
  });

  it('says nothing of another spec, and begins anew with it', async () => {
    const { learned } = await opened();
    await learned.note(run, 8 * gib);
    const other = gpuSpec({ slots: 4 });
    expect(learned.needOf(other)).toBeNull();
    await learned.note({ ...run, spec: other, specHash: hashOf(other) }, 3 * gib);
    expect(learned.needOf(other)).toBe(withMargin(3));
    expect(learned.needOf(spec)).toBeNull();
  });

  it('is not learned of simulated cards, nor of engines that take what they are given', async () => {
    const { learned } = await opened();
    await learned.note({ ...run, simulated: true }, 8 * gib);
    const vllm = gpuSpec({ engine: 'vllm', slots: 2 });
    await learned.note({ ...run, engine: 'vllm', spec: vllm }, 20 * gib);
    expect([learned.needOf(spec), learned.needOf(vllm)]).toEqual([null, null]);
  });

  it('that is damaged on disk is set aside and told', async () => {
    const { stateDir } = await opened();
    await writeFile(join(stateDir, 'learned', 'pool-0.json'), '{');
    const { learned, troubles } = await opened(stateDir);
    expect(learned.needOf(spec)).toBeNull();
    expect(troubles).toEqual([expect.objectContaining({ message: expect.stringContaining('learned/pool-0.json') })]);
  });

  it('is what a pool asks for, in place of the estimate', async () => {
    const gpus = scriptedGpus();
    gpus.say([card(0)]);
    const { learned } = await opened();
    const measure = () =>
      toPromise(
        createActor(measureGpus({ source: gpus.source, readDeadlineMs: 1_000, learned: learned.needOf }), {
          input: { spec, model: { id: 'm', path: '/m.gguf', bytes: 10 * gib } },
        }).start(),
      );
    expect((await measure()).needBytes).toBeGreaterThan(10 * gib);
    await learned.note(run, 8 * gib);
    expect((await measure()).needBytes).toBe(withMargin(8));
  });
});
