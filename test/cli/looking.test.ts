/** The commands that look on and those that order what the dashboard orders too, against the real HTTP rim around a fake node. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import { type HttpApi, startHttpApi } from '../kit/http-api.ts';
import { runCommand, startCommand } from '../kit/run-command.ts';
import { until } from '../kit/until.ts';

let api: HttpApi;
beforeEach(async () => {
  api = await startHttpApi({ parsePoolSpec: (value) => ({ ok: true, spec: Object(value) }) });
  return () => api.close();
});

const common = { at: '2026-01-01T00:00:00.000Z', actor: 'chat#1', sessionId: 'x:1', rootId: 'x:0' };
const story = [
  { id: 1, type: '@xstate.actor', ...common, machine: 'pool', snapshot: { status: 'active', path: 'ready.healthy' } },
  {
    id: 2,
    type: '@xstate.microstep',
    ...common,
    event: { type: 'pool.drain' },
    transitions: [{ source: 'pool.ready', eventType: 'pool.drain', targets: ['pool.draining'], guard: 'isManaged', actions: ['noteWish'] }],
    snapshot: { status: 'active', path: 'draining.emptying' },
  },
  {
    id: 3,
    type: '@xstate.snapshot',
    ...common,
    machine: 'pool',
    event: { type: 'pool.drain' },
    snapshot: { status: 'active', path: 'draining.emptying' },
  },
  {
    id: 4,
    type: '@xstate.snapshot',
    ...common,
    actor: 'node',
    machine: 'node',
    event: { type: 'pool.changed' },
    snapshot: { status: 'active', path: 'lifecycle.serving' },
  },
] as const;

describe('inspect', () => {
  it('tells each event, the step it took, its guard and its actions, of one pool', async () => {
    api.inspect.feed.past.push(...story);
    const looking = startCommand(['inspect', 'chat', '--url', api.url]);
    await until('what is remembered', () => looking.stdout().includes('draining'));
    looking.stop();
    const { exitCode, stdout, stderr } = await looking.done;
    expect([exitCode, stdout]).toEqual([
      0,
      [
        `${common.at}  chat#1  is ready.healthy`,
        `${common.at}  chat#1  pool.drain  ready.healthy -> draining.emptying`,
        '    pool.ready -> pool.draining [isManaged] / noteWish',
        '',
      ].join('\n'),
    ]);
    expect(stderr).toContain(`as pictures: ${api.url}/statecharts`);
  });

  it('tells of everybody, as it came, with --json, and in colours on a terminal only', async () => {
    api.inspect.feed.past.push(...story);
    const raw = startCommand(['inspect', '--json', '--url', api.url]);
    await until('all of it', () => raw.stdout().trim().split('\n').length === 4);
    raw.stop();
    expect(
      (await raw.done).stdout
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line).id),
    ).toEqual([1, 2, 3, 4]);
    const bright = startCommand(['inspect', '--url', api.url], { tty: true });
    await until('the node', () => bright.stdout().includes('lifecycle.serving'));
    bright.stop();
    expect((await bright.done).stdout).toContain('\u001b[32mdraining.emptying');
  });
});

describe('what the dashboard orders too', () => {
  it('register and heartbeat print what orchestratord answered', async () => {
    for (const command of ['register', 'heartbeat']) {
      const { exitCode, stdout } = await runCommand([command, '--url', api.url]);
      expect([exitCode, JSON.parse(stdout)]).toEqual([0, api.node.orchestrator.ok && api.node.orchestrator.body]);
    }
    expect(api.node.asked).toEqual([['registerNow'], ['heartbeatNow']]);
    api.node.orchestrator = { ok: false, message: 'orchestratord is not to be reached' };
    expect(await runCommand(['register', '--url', api.url])).toMatchObject({
      exitCode: 1,
      stderr: expect.stringContaining('ORCHESTRATOR_UNREACHABLE'),
    });
  });

  it('declare declares a pool of a file, and says what was expected of one that is none', async () => {
    const dir = await mkdtemp(join(tmpdir(), 'pool-managerd-declare-'));
    onTestFinished(() => rm(dir, { recursive: true, force: true }));
    const file = join(dir, 'pool.json');
    await writeFile(file, JSON.stringify({ id: 'chat', engine: 'llamacpp' }));
    expect(await runCommand(['declare', file, '--url', api.url])).toMatchObject({ exitCode: 0, stdout: expect.stringContaining('chat is declared') });
    expect(api.node.asked).toEqual([['declare', { id: 'chat', engine: 'llamacpp' }]]);
    await writeFile(file, 'pools:');
    expect(await runCommand(['declare', file, '--url', api.url])).toMatchObject({
      exitCode: 78,
      stderr: expect.stringContaining('expected one pool as a JSON object'),
    });
    expect(await runCommand(['declare', join(dir, 'none'), '--url', api.url])).toMatchObject({
      exitCode: 64,
      stderr: expect.stringContaining('cannot be read'),
    });
  });
});
