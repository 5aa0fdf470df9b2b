/** What of the pools file changed between its first reading and the watching of it; the rest is tried with a daemon around it. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { hashSpec } from '../../src/config/spec-hash.ts';
import { followConfig } from '../../src/control/follow-config.ts';
import type { LiveViewsOptions } from '../../src/control/live-views.ts';
import type { NodeEvent } from '../../src/machines/events.ts';
import type { PoolSpec } from '../../src/machines/vocabulary.ts';
import { temporaryDir } from '../kit/engine-process.ts';
import { gpuSpec } from '../kit/gpu-facts.ts';
import { until } from '../kit/until.ts';

const following = async (known: readonly PoolSpec[], now: readonly PoolSpec[]) => {
  const file = join(await temporaryDir(), 'pools.yaml');
  await writeFile(file, '');
  const heard: NodeEvent['type'][] = [];
  let readings = 0;
  const load = () => {
    readings += 1;
    return { ok: true, pools: now, warnings: [] } as const;
  };
  const node = { send: ({ type }: NodeEvent) => void heard.push(type) } as unknown as LiveViewsOptions['node'];
  const follows = followConfig({ file, load, known, raised: Promise.resolve(), hashOf: hashSpec, node, warn: () => undefined });
  onTestFinished(() => follows.close());
  await until('the file to be watched', () => readings > 0);
  return { follows, heard };
};

it('is found, times and probes included', async () => {
  const { heard } = await following([gpuSpec()], [gpuSpec({ health: { ...gpuSpec().health, timeout_ms: 30_000 } })]);
  expect(heard).toEqual(['pools.configured']);
  expect((await following([gpuSpec()], [gpuSpec()])).heard).toEqual([]);
});

it('is not read any more once nobody follows it', async () => {
  const { follows, heard } = await following([], []);
  await follows.close();
  expect([follows.reload(), heard]).toEqual([[], []]);
});
