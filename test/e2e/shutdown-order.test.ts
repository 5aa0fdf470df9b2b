/** In which order a daemon goes, as seen by everybody around it: systemd, clients of the API, the control plane, its engines. */
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, type TestContext } from 'vitest';
import { startOrchestratorStandIn } from '../../src/demo/orchestrator-stand-in.ts';
import { stream } from '../kit/completions.ts';
import { daemonHouse, patient } from '../kit/daemon.ts';
import { asking } from '../kit/daemon-api.ts';
import { receiveDatagrams } from '../kit/datagrams.ts';
import { until } from '../kit/until.ts';

const lacksPython = spawnSync('python3', ['--version']).status !== 0;

type Sight = 'systemd: STOPPING=1' | 'api: not ready' | 'api: gone' | 'control plane: draining' | 'control plane: deregistered' | 'stream: whole';

const watched = async (t: TestContext, shutdown: 'keep' | 'drain') => {
  const seen = new Map<Sight, number>();
  const see = (sight: Sight, at = Date.now()): void => {
    if (!seen.has(sight)) seen.set(sight, at);
  };
  const orchestrator = await startOrchestratorStandIn({ nextHeartbeatMs: 60_000 });
  t.onTestFinished(orchestrator.close);
  orchestrator.on('heartbeat', ({ pools }) => pools['pool-0']?.draining && see('control plane: draining'));
  orchestrator.on('deregistered', () => see('control plane: deregistered'));
  const house = await daemonHouse(t, { ORCHESTRATORD_URL: orchestrator.url, POOL_MANAGERD_SHUTDOWN: shutdown });
  const systemd = await receiveDatagrams(join(house.dir, 'notify'));
  t.onTestFinished(systemd.end);
  await house.declare([house.stub('pool-0')]);
  const daemon = await house.start({ NOTIFY_SOCKET: join(house.dir, 'notify') });
  await daemon.ready('pool-0');
  await asking('a heartbeat that says ready', () => orchestrator.node('node-0')?.pools['pool-0']?.ready);
  const look = async (): Promise<boolean> => {
    const status = await fetch(`${daemon.url}/ready`).then(
      (response) => response.status,
      () => null,
    );
    if (status === 503) see('api: not ready');
    if (status === null) see('api: gone');
    return status === null;
  };
  /** From the signal until nobody answers any more. */
  const end = async (): Promise<number> => {
    const begun = performance.now();
    daemon.signal('SIGTERM');
    await until('the API to be gone', look, 20_000, 2);
    expect(await daemon.ended).toMatchObject({ code: 0 });
    const [, , at] = await until('systemd to hear of it', () => systemd.heard.find(([, text]) => text.startsWith('STOPPING=1')));
    see('systemd: STOPPING=1', at);
    return performance.now() - begun;
  };
  /** The earliest first. */
  const story = (): readonly Sight[] => [...seen].sort(([, one], [, other]) => one - other).map(([sight]) => sight);
  return { house, see, end, story };
};

const journalOf = (stateDir: string): readonly Record<string, unknown>[] =>
  readFileSync(join(stateDir, 'journal', 'events.jsonl'), 'utf8')
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line));

describe.skipIf(lacksPython).concurrent('a daemon that is told to go (needs python3)', patient, () => {
  it('and to drain tells systemd, then clients, then the control plane, lets requests end, and closes its doors last (row 91)', async (t) => {
    const { house, see, end, story } = await watched(t, 'drain');
    const request = stream(house.run('pool-0')?.endpoint ?? '', 60);
    await request.begun;
    const streamed = request.done.then(({ whole }) => whole && see('stream: whole'));
    await end();
    await streamed;
    expect(story().filter((sight) => sight !== 'control plane: draining')).toEqual([
      'systemd: STOPPING=1',
      'api: not ready',
      'stream: whole',
      'control plane: deregistered',
      'api: gone',
    ]);
    expect(story().indexOf('control plane: draining')).toBeLessThan(story().indexOf('stream: whole'));
    expect(story()[0]).toBe('systemd: STOPPING=1');
    expect(house.run('pool-0')).toBeNull();
    expect(journalOf(house.stateDir).at(-1)).toMatchObject({ actor: 'node', status: 'stopped' });
  });

  it('and to keep its engines is gone within five seconds, says nothing to the control plane, and touches none (row 91)', async (t) => {
    const { house, see, end, story } = await watched(t, 'keep');
    const request = stream(house.run('pool-0')?.endpoint ?? '', 200);
    await request.begun;
    const streamed = request.done.then(({ whole }) => whole && see('stream: whole'));
    expect(await end()).toBeLessThan(5_000);
    await streamed;
    expect(story().filter((sight) => sight !== 'api: not ready')).toEqual(['systemd: STOPPING=1', 'api: gone', 'stream: whole']);
    expect(house.left()).toEqual([house.run('pool-0')?.pid]);
    expect(journalOf(house.stateDir).at(-1)).toMatchObject({ actor: 'node', status: 'stopped' });
  });
});
