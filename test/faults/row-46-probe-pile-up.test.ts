/** An engine that takes connections and never answers: probes wait for each other instead of piling up. */
import { createServer, type Socket } from 'node:net';
import { expect, it } from 'vitest';
import { createActor, setup } from 'xstate';
import { pauseTogether } from '../../src/actors/pause-together.ts';
import { suspectHost } from '../../src/actors/probe/host-suspicion.ts';
import { probeHealth } from '../../src/actors/probe-health.ts';
import { gpuRun, gpuSpec } from '../kit/gpu-facts.ts';
import { until } from '../kit/until.ts';

const health = { interval_ms: 50, timeout_ms: 100, progress_timeout_ms: 100, failures: 3, canary: false };
const manyProbes = 20;

it('an engine that never answers has two connections of the daemon at most (row 46)', async ({ onTestFinished }) => {
  const open = new Set<Socket>();
  let taken = 0;
  let most = 0;
  const engine = createServer((socket) => {
    taken += 1;
    most = Math.max(most, open.add(socket).size);
    socket.on('error', () => {}).on('close', () => open.delete(socket));
    socket.resume();
  });
  const port = await new Promise<number>((resolve) => engine.listen(0, '127.0.0.1', () => resolve(Object(engine.address()).port)));
  const probe = probeHealth({
    listenerOwner: async () => 'ours',
    readApiKey: async () => null,
    vramUsedBytes: null,
    residency: null,
    suspicion: suspectHost(),
    together: pauseTogether(),
  });
  const run = gpuRun({ port, spec: gpuSpec({ health }) });
  const actor = createActor(
    setup({ actors: { probe } }).createMachine({ invoke: { id: 'probe', src: 'probe', input: { run, pace: 'steady' } }, on: { '*': {} } }),
  ).start();
  onTestFinished(() => {
    actor.stop();
    for (const socket of open) socket.destroy();
    engine.close();
  });

  await until('many probes', () => taken >= manyProbes, 15_000);
  expect(most).toBeLessThanOrEqual(2);
  actor.stop();
  await until('no connection to be left', () => open.size === 0);
});
