/** The commands against a real HTTP server: what they ask, what they print, and how they end. */
import { mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { stripVTControlCharacters } from 'node:util';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type Canned, type CannedDaemon, startCannedDaemon } from '../kit/canned-daemon.ts';
import { runCommand, startCommand } from '../kit/run-command.ts';
import { until } from '../kit/until.ts';
import { gpuView, nodeView, poolStatus } from '../kit/views.ts';

const running: CannedDaemon[] = [];
afterEach(async () => {
  for (const daemon of running.splice(0)) await daemon.close();
});

const ready = poolStatus();
const failed = poolStatus({
  pool_id: 'pool-1',
  state: 'offline',
  substate: 'failed',
  live: false,
  ready: false,
  endpoint: null,
  slots_total: null,
  slots_free: null,
  vram_used_bytes: null,
  reason: { code: 'model_missing', message: 'no file /models/x.gguf; fetch it', retryable: false, attempt: 0, next_retry_at: null },
});
const listing = (...pools: (typeof ready)[]): Canned => ({ body: { node_id: 'gpu-node-1', pools, count: pools.length } });
const daemonWith = async (answers: Record<string, Canned> = {}) => {
  const daemon = await startCannedDaemon({
    'GET /v2/node': { body: nodeView() },
    'GET /v2/pools': listing(ready, failed),
    'GET /v2/gpus': { body: { gpus: [gpuView()], count: 1 } },
    'GET /v2/pools/pool-0/status': { body: ready },
    ...answers,
  });
  running.push(daemon);
  return daemon;
};
const unknownPool = { status: 404, body: { code: 'POOL_NOT_FOUND', message: 'no pool "nope"', retryable: false } };

describe('looking', () => {
  it('shows the node and its pools as a table without colours or control characters', async () => {
    const { url } = await daemonWith({ 'GET /v2/pools': listing(ready, { ...failed, model: 'evil\u001b[2Jname' }) });
    const { exitCode, stdout } = await runCommand(['status', '--url', url]);
    expect(exitCode).toBe(0);
    expect(stdout).toContain('gpu-node-1 serving, pool-managerd 0.1.0');
    expect(stdout).toMatch(/^POOL +STATE +FOR +WANTED/m);
    expect(stdout).toMatch(/^pool-0 +ready\.healthy .* up +llamacpp +tiny +0 +3\/4 +7\.5 GiB/m);
    expect(stdout).toMatch(/^pool-1 +offline\.failed .* - +- +0 +- +model_missing$/m);
    expect(stdout).not.toContain('\u001b');
  });

  it('colours states on a terminal, and not where NO_COLOR is set', async () => {
    const { url } = await daemonWith();
    expect((await runCommand(['pools', '--url', url], { tty: true })).stdout).toContain('\u001b[32mready.healthy');
    expect((await runCommand(['pools', '--url', url], { tty: true, env: { NO_COLOR: '1' } })).stdout).not.toContain('\u001b');
  });

  it('keeps columns in line when cells are coloured', async () => {
    const { url } = await daemonWith();
    const plain = (await runCommand(['pools', '--url', url])).stdout;
    const coloured = (await runCommand(['pools', '--url', url], { tty: true })).stdout;
    expect(stripVTControlCharacters(coloured)).toBe(plain);
  });

  it('tells a pool in full, with reason and way out', async () => {
    const declared = { pool_id: 'pool-1', spec: {}, spec_hash: 'h', filed: null, reserved_bytes: null };
    const { url } = await daemonWith({ 'GET /v2/pools/pool-1/status': { body: failed }, 'GET /v2/pools/pool-1/spec': { body: declared } });
    for (const name of ['pool', 'status']) {
      const { stdout } = await runCommand([name, 'pool-1', '--url', url]);
      expect(stdout).toMatch(/^state: +offline for \d+d, failed$/m);
      expect(stdout).toContain('model_missing: no file /models/x.gguf; fetch it');
    }
  });

  it('tells of a pool that an order over the API counts, and what the pools file says instead', async () => {
    const pool = { ...ready, origin: 'file' };
    const spec = { id: 'pool-0', slots: 4, model: 'a' };
    const told = async (filed: object | null): Promise<string> => {
      const body = { pool_id: 'pool-0', spec, spec_hash: 'h', filed, reserved_bytes: null };
      const { url } = await daemonWith({ 'GET /v2/pools/pool-0/status': { body: pool }, 'GET /v2/pools/pool-0/spec': { body } });
      return (await runCommand(['pool', 'pool-0', '--url', url])).stdout;
    };
    expect(await told({ ...spec, slots: 2 })).toMatch(/ordered: +over the API, until .* changes or reload --as-filed: slots 4, in the file 2\n/);
    expect(await told(null)).not.toContain('ordered');
  });

  it('lists GPUs with what is promised of them', async () => {
    const { url } = await daemonWith({
      'GET /v2/gpus': { body: { gpus: [gpuView({ simulated: true, stale: true, temperature_c: null })], count: 1 } },
    });
    const { stdout } = await runCommand(['gpus', '--url', url]);
    expect(stdout).toMatch(/RTX 3090 \(simulated\) +healthy +7\.5 GiB +7\.5 GiB +14\.9 GiB +22\.4 GiB +40% +- +0-15 \(node 0\) +pool-0 +.*stale/);
  });

  it('prints what the daemon answered with --json, before or after the command', async () => {
    const { url } = await daemonWith();
    for (const args of [
      ['--json', '--url', url, 'pools'],
      ['pools', '--json', '--url', url],
    ]) {
      const { stdout } = await runCommand(args);
      expect(JSON.parse(stdout)).toEqual({ node_id: 'gpu-node-1', pools: [ready, failed], count: 2 });
    }
    expect(JSON.parse((await runCommand(['status', '--json', '--url', url])).stdout)).toMatchObject({
      node: { node_id: 'gpu-node-1' },
      pools: [ready, failed],
    });
  });

  it('says what to do where no pool is declared', async () => {
    const { url } = await daemonWith({ 'GET /v2/pools': listing() });
    expect((await runCommand(['pools', '--url', url])).stdout).toContain('pool-managerd config example');
  });

  it('watches on while the daemon is away, until it is stopped', async () => {
    const daemon = await daemonWith();
    const watching = startCommand(['status', '--watch', '--url', daemon.url]);
    await until('the first look', () => watching.stdout().includes('ready.healthy'));
    await daemon.close();
    await until('the daemon to be missed', () => watching.stdout().includes('is not to be reached'));
    watching.stop();
    expect((await watching.done).exitCode).toBe(0);
  });
});

describe('commanding', () => {
  it.each([
    [['start', 'pool-0'], 'POST', '/v2/pools/pool-0/preload', {}, 'pool-0 is wanted up'],
    [['drain', 'pool-0'], 'POST', '/v2/pools/pool-0/drain', {}, 'pool-0 drains'],
    [['drain', 'pool-0', '--deadline', '1.5s'], 'POST', '/v2/pools/pool-0/drain', { deadline_ms: 1500 }, 'pool-0 drains'],
    [['resume', 'pool-0'], 'POST', '/v2/pools/pool-0/resume', {}, 'pool-0 serves again'],
    [['reload', 'pool-0'], 'POST', '/v2/pools/pool-0/reload', {}, 'operation op-1'],
    [['reload', 'pool-0', '--model', 'm.gguf'], 'POST', '/v2/pools/pool-0/reload', { new_model_ref: 'm.gguf' }, 'pool-0 is being reloaded'],
    [['reload', 'pool-0', '--as-filed'], 'POST', '/v2/pools/pool-0/reload', { as_filed: true }, 'the pools file counts again'],
    [['reload', 'pool-0', '--slots', '3', '--ctx', '8192'], 'POST', '/v2/pools/pool-0/reload', { slots: 3, ctx: 8192 }, 'operation op-1'],
    [['remove', 'pool-0'], 'DELETE', '/v2/pools/pool-0', null, 'is then gone'],
  ] as const)('%j', async (args, method, path, body, said) => {
    const daemon = await daemonWith({ [`${method} ${path}`]: { status: 202, body: { ...ready, operation_id: 'op-1' } } });
    const { exitCode, stdout } = await runCommand([...args, '--url', daemon.url]);
    expect(exitCode).toBe(0);
    expect(stdout).toContain(said);
    const [request] = daemon.requests;
    expect(request?.body).toBe(body === null ? '' : JSON.stringify(body));
    expect(request?.headers['content-type']).toBe(body === null ? undefined : 'application/json');
  });

  it('says that an engine goes on where a reload changes nothing of it', async () => {
    const { url } = await daemonWith({ 'POST /v2/pools/pool-0/reload': { status: 202, body: { ...ready, operation_id: null } } });
    expect(await runCommand(['reload', 'pool-0', '--url', url])).toMatchObject({
      exitCode: 0,
      stdout: 'pool-0 goes on as it is: nothing changes that its engine has a part in\n',
    });
  });

  it('waits for readiness and tells the states on the way', async () => {
    const states = [
      poolStatus({ state: 'provisioning', substate: '', live: false, ready: false }),
      poolStatus({ state: 'starting', substate: 'loading', ready: false }),
      ready,
    ];
    const daemon = await daemonWith({
      'POST /v2/pools/pool-0/preload': { status: 202, body: ready },
      'GET /v2/pools/pool-0/status': (response) => {
        response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(states.length > 1 ? states.shift() : states[0]));
      },
    });
    const { exitCode, stdout, stderr } = await runCommand(['start', 'pool-0', '--wait', '--url', daemon.url]);
    expect(exitCode).toBe(0);
    expect(stderr).toBe('pool-0: provisioning\npool-0: starting.loading\npool-0: ready.healthy\n');
    expect(stdout).toBe('pool-0 is ready at http://127.0.0.1:18080\n');
  });

  it.each([
    ['reloaded', 0, 'pool-0 has its new engine'],
    ['rolled_back', 1, 'pool-0 was not reloaded (what it had before serves): model_missing: nothing there'],
    ['given_up', 1, 'pool-0 was not reloaded (no engine serves): model_missing: nothing there'],
  ])('waits for the end of a reload: %s', async (outcome, exitCode, told) => {
    const event = {
      at: '2026-01-01T00:00:00Z',
      pool_id: 'pool-0',
      actor: 'pool-0#1',
      event: 'e',
      from: 'a',
      to: 'b',
      reason: null,
      incarnation: null,
      outcome: null,
    };
    const end = { ...event, seq: 9, outcome, reason: outcome === 'reloaded' ? null : { code: 'model_missing', message: 'nothing there' } };
    // What was before the order does not count, also where it is an end.
    const before = { ...event, seq: 7, outcome: 'reloaded' };
    // Nor what was ordered after it.
    const after = { ...event, seq: 10, outcome: outcome === 'reloaded' ? 'given_up' : 'reloaded' };
    const answers = [[before], [{ ...event, seq: 8 }, before], [after, end, { ...event, seq: 8 }, before]];
    const { url } = await daemonWith({
      'POST /v2/pools/pool-0/reload': { status: 202, body: { ...ready, operation_id: 'op-1' } },
      'GET /v2/pools/pool-0/events': (response) => {
        const events = answers.length > 1 ? answers.shift() : answers[0];
        response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify({ events }));
      },
    });
    const done = await runCommand(['reload', 'pool-0', '--slots', '3', '--wait', '--url', url]);
    expect([done.exitCode, done.stdout + done.stderr]).toEqual([exitCode, expect.stringContaining(told)]);
  });

  it('says of a pool of the pools file how long a reload holds', async () => {
    const body = { ...ready, operation_id: 'op-1' };
    const { url } = await daemonWith({ 'POST /v2/pools/pool-0/reload': { status: 202, body: { ...body, origin: 'file' } } });
    expect((await runCommand(['reload', 'pool-0', '--slots', '3', '--url', url])).stdout).toContain(
      "until the pool's own entry in the pools file changes",
    );
    const declared = await daemonWith({ 'POST /v2/pools/pool-0/reload': { status: 202, body: { ...body, origin: 'api' } } });
    expect((await runCommand(['reload', 'pool-0', '--slots', '3', '--url', declared.url])).stdout).not.toContain('pools file');
  });

  it('waits until a pool that was resumed is ready, and until one that was removed is gone', async () => {
    const lists = [[ready, failed], [ready, failed], [failed]];
    const { url } = await daemonWith({
      'POST /v2/pools/pool-0/resume': { status: 202, body: ready },
      'DELETE /v2/pools/pool-0': { status: 202, body: ready },
      'GET /v2/pools': (response) => {
        const pools = lists.length > 1 ? lists.shift() : lists[0];
        response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify({ node_id: 'n', pools, count: pools?.length }));
      },
    });
    expect(await runCommand(['resume', 'pool-0', '--wait', '--url', url])).toMatchObject({ exitCode: 0, stdout: 'pool-0 serves again\n' });
    expect(await runCommand(['remove', 'pool-0', '--wait', '--url', url])).toMatchObject({ exitCode: 0, stdout: 'pool-0 is gone\n' });
  });

  it('does not wait for what cannot come, nor longer than it was told', async () => {
    const { url } = await daemonWith({
      'POST /v2/pools/pool-1/preload': { status: 202, body: failed },
      'GET /v2/pools/pool-1/status': { body: failed },
      'POST /v2/pools/pool-0/drain': { status: 202, body: ready },
      'GET /v2/pools/pool-0/status': { body: { ...ready, wanted: 'down' } },
    });
    const hopeless = await runCommand(['start', 'pool-1', '--wait', '--url', url]);
    expect(hopeless).toMatchObject({ exitCode: 1, stderr: expect.stringContaining('does not become ready: model_missing') });
    const late = await runCommand(['drain', 'pool-0', '--wait', '--timeout', '100ms', '--url', url]);
    expect(late).toMatchObject({ exitCode: 1, stderr: expect.stringContaining('is not stopped after') });
  });

  it('tells why the daemon refuses, in the words of the command line', async () => {
    const { url } = await daemonWith({
      'POST /v2/pools/pool-0/resume': {
        status: 409,
        body: { code: 'ILLEGAL_TRANSITION', message: 'found it ready; preload starts one that is down', retryable: false },
      },
    });
    expect(await runCommand(['resume', 'pool-0', '--url', url])).toMatchObject({
      exitCode: 1,
      stdout: '',
      stderr: 'pool-managerd: ILLEGAL_TRANSITION: found it ready; "pool-managerd start" starts one that is down\n',
    });
  });
});

describe('logs', () => {
  const lines = [
    { offset: 10, text: 'first' },
    { offset: 20, text: 'second \u001b[31mred' },
  ];

  it('prints the last lines, of the run before this one too', async () => {
    const daemon = await daemonWith({ 'GET /v2/pools/pool-0/logs': { body: { lines } } });
    const { stdout } = await runCommand(['logs', 'pool-0', '--tail', '5', '--previous', '--url', daemon.url]);
    expect(stdout).toBe('first\nsecond \u001b[31mred\n');
    expect(daemon.requests[0]?.query.toString()).toBe('tail=5&run=previous');
    expect((await runCommand(['logs', 'pool-0', '--url', daemon.url], { tty: true })).stdout).toBe('first\nsecond [31mred\n');
  });

  it('follows over a lost connection, without a gap or a line twice', async () => {
    const resumed: (string | undefined)[] = [];
    const daemon = await daemonWith({
      'GET /v2/pools/pool-0/logs': (response, request) => {
        const from = request.headers['last-event-id'];
        resumed.push(typeof from === 'string' ? from : undefined);
        const past = from === undefined ? lines : [];
        const offset = Number(from ?? past.at(-1)?.offset) + 10;
        response.writeHead(200, { 'content-type': 'text/event-stream' });
        for (const line of past) response.write(`id: ${line.offset}\nevent: line\ndata: ${JSON.stringify(line)}\n\n`);
        response.write(`: hello\n\nid: ${offset}\ndata: ${JSON.stringify({ offset, text: `line ${offset}` })}\n\n`);
        response.write(`id: ${offset}\nevent: ping\ndata: {}\n\n`);
      },
    });
    const following = startCommand(['logs', 'pool-0', '-f', '--url', daemon.url]);
    await until('the first line', () => following.stdout().includes('line 30\n'));
    daemon.cutAll();
    await until('the line after it', () => following.stdout().includes('line 40\n'));
    following.stop();
    const { exitCode, stdout, stderr } = await following.done;
    expect(exitCode).toBe(0);
    expect(stdout).toBe('first\nsecond \u001b[31mred\nline 30\nline 40\n');
    expect(resumed).toEqual([undefined, '30']);
    expect(daemon.requests[0]?.query.toString()).toBe('follow=true&tail=100');
    expect(stderr).toContain('was lost');
  });
});

describe('events', () => {
  const event = (seq: number, pool_id: string) => ({
    seq,
    at: `2026-01-01T00:00:0${seq}.000Z`,
    pool_id,
    actor: pool_id,
    event: 'pool.drain',
    from: 'ready.healthy',
    to: 'draining.emptying',
    reason: { code: 'operator', message: 'stopped by an operator' },
    incarnation: null,
    outcome: null,
  });

  it('come in the order in which they happened, of one pool or of all', async () => {
    const { url } = await daemonWith({
      'GET /v2/pools/pool-0/events': { body: { events: [event(5, 'pool-0'), event(1, 'pool-0')] } },
      'GET /v2/pools/pool-1/events': { body: { events: [event(3, 'pool-1')] } },
    });
    const seqs = (text: string) =>
      text
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line).seq);
    expect(seqs((await runCommand(['events', '--json', '--url', url])).stdout)).toEqual([1, 3, 5]);
    expect(seqs((await runCommand(['events', 'pool-0', '--json', '--url', url])).stdout)).toEqual([1, 5]);
    expect(seqs((await runCommand(['events', '--limit', '1', '--json', '--url', url])).stdout)).toEqual([5]);
    expect((await runCommand(['events', 'pool-1', '--url', url])).stdout).toBe(
      '2026-01-01T00:00:03.000Z  pool-1  ready.healthy -> draining.emptying  pool.drain  operator: stopped by an operator\n',
    );
  });

  const started = (seq: number, from: string, to: string, own: object = {}) => ({ ...event(seq, 'pool-0'), from, to, reason: null, ...own });
  const steps = [
    started(1, '', 'provisioning.resolving'),
    started(2, 'provisioning.resolving', 'provisioning.present'),
    started(3, 'provisioning.present', 'starting.admitting.measuring'),
    started(4, 'starting.admitting.measuring', 'starting.spawning'),
    started(5, 'starting.spawning', 'starting.loading', { reason: { code: 'disk_full', message: 'no room' } }),
    started(6, 'starting.loading', 'starting.proving', { outcome: 'crashed' }),
    started(7, 'starting.proving', 'ready.healthy'),
    started(8, 'ready.healthy', 'ready.suspect'),
  ];
  /** As the daemon answers: newest first, `limit` of those before `before`. */
  const paging =
    (all: readonly { readonly seq: number }[]): Canned =>
    (response, { query }) => {
      const before = Number(query.get('before') ?? Number.POSITIVE_INFINITY);
      const events = all
        .filter(({ seq }) => seq < before)
        .toReversed()
        .slice(0, Number(query.get('limit')));
      response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify({ events }));
    };

  it('leave out the steps of a start, but none with a reason or an outcome; --all and --json have them', async () => {
    const { url } = await daemonWith({ 'GET /v2/pools/pool-0/events': paging(steps) });
    const told = async (...more: readonly string[]) => {
      const { stdout } = await runCommand(['events', 'pool-0', ...more, '--url', url]);
      return [...stdout.matchAll(/T00:00:0(\d)/g)].map(([, seq]) => Number(seq));
    };
    expect(await told()).toEqual([1, 3, 5, 6, 7, 8]);
    expect(await told('--all')).toEqual([1, 2, 3, 4, 5, 6, 7, 8]);
    expect(await told('--json')).toEqual([1, 2, 3, 4, 5, 6, 7, 8]);
  });

  it('are as many as were asked for, also where steps lie between them', async () => {
    const far = [
      started(1, '', 'provisioning.resolving'),
      ...Array.from({ length: 12 }, (_, index) => started(index + 2, 'starting.a', 'starting.b')),
      started(14, 'starting.b', 'ready.healthy'),
    ];
    const daemon = await daemonWith({ 'GET /v2/pools/pool-0/events': paging(far) });
    const { stdout } = await runCommand(['events', 'pool-0', '--limit', '2', '--url', daemon.url]);
    expect(stdout.trim().split('\n')).toEqual([expect.stringContaining('provisioning'), expect.stringContaining('ready.healthy')]);
    expect(daemon.requests.map(({ query }) => query.toString())).toEqual(['limit=2', 'limit=8&before=13', 'limit=8&before=5']);
  });

  it('tell the two engines of a reload apart', async () => {
    const pair = [started(1, 'a', 'b', { actor: 'pool-0#1' }), started(2, 'a', 'b', { actor: 'pool-0--b#4' })];
    const { url } = await daemonWith({ 'GET /v2/pools/pool-0/events': paging(pair) });
    const { stdout } = await runCommand(['events', 'pool-0', '--url', url]);
    expect(stdout.trim().split('\n')).toEqual([
      expect.stringContaining('  pool-0  a -> b'),
      expect.stringContaining('  pool-0 (second berth)  a -> b'),
    ]);
  });

  it('are followed from the last one that there was, though it was not told, and steps are left out of what comes', async () => {
    const asked: unknown[] = [];
    const daemon = await daemonWith({
      'GET /v2/pools/pool-0/events': paging(steps.slice(0, 2)),
      'GET /v2/events': (response, request) => {
        asked.push(request.headers['last-event-id']);
        response.writeHead(200, { 'content-type': 'text/event-stream' });
        for (const each of steps.slice(2, 7)) response.write(`id: ${each.seq}\r\nevent: transition\r\ndata: ${JSON.stringify(each)}\r\n\r\n`);
      },
    });
    const following = startCommand(['events', 'pool-0', '-f', '--url', daemon.url]);
    await until('the followed events', () => following.stdout().includes('ready.healthy'));
    following.stop();
    const { stdout } = await following.done;
    expect([...stdout.matchAll(/T00:00:0(\d)/g)].map(([, seq]) => Number(seq))).toEqual([1, 3, 5, 6, 7]);
    expect(asked).toEqual(['2']);
  });

  it('are followed from the last one shown, those of other pools left out', async () => {
    const daemon = await daemonWith({
      'GET /v2/pools/pool-0/events': { body: { events: [event(1, 'pool-0')] } },
      'GET /v2/events': (response, request) => {
        response.writeHead(200, { 'content-type': 'text/event-stream' });
        const from = Number(request.headers['last-event-id']);
        for (const [seq, pool] of [
          [from + 1, 'pool-1'],
          [from + 2, 'pool-0'],
        ] as const) {
          response.write(`id: ${seq}\r\nevent: transition\r\ndata: ${JSON.stringify(event(seq, pool))}\r\n\r\n`);
        }
      },
    });
    const following = startCommand(['events', 'pool-0', '-f', '--json', '--url', daemon.url]);
    await until('the followed event', () => following.stdout().includes('"seq":3'));
    following.stop();
    expect(
      (await following.done).stdout
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line).seq),
    ).toEqual([1, 3]);
  });
});

describe('what goes wrong', () => {
  it('names the address and the way out when no daemon answers (69)', async () => {
    const daemon = await daemonWith();
    await daemon.close();
    const { exitCode, stderr } = await runCommand(['pools', '--url', daemon.url]);
    expect(exitCode).toBe(69);
    expect(stderr).toContain(`is not to be reached at ${daemon.url}`);
    expect(stderr).toContain('pool-managerd serve');
  });

  it('never follows what it could not even open', async () => {
    const daemon = await daemonWith();
    await daemon.close();
    expect((await runCommand(['events', '--limit', '0', '-f', '--url', daemon.url])).exitCode).toBe(69);
  });

  it('lists the known pools when one is unknown', async () => {
    const { url } = await daemonWith({ 'GET /v2/pools/nope/status': unknownPool });
    expect(await runCommand(['pool', 'nope', '--url', url])).toMatchObject({
      exitCode: 1,
      stderr: 'pool-managerd: no pool "nope"; known pools: pool-0, pool-1\n',
    });
  });

  it('asks for a token, or says that it is the wrong one, and never prints it', async () => {
    const { url } = await daemonWith({ 'GET /v2/pools': { status: 401, body: { code: 'UNAUTHORIZED', message: 'no', retryable: false } } });
    expect((await runCommand(['pools', '--url', url])).stderr).toContain('wants a token');
    const { stderr } = await runCommand(['pools', '--url', url], { env: { LLORCH_API_TOKEN: 'the-wrong-token' } });
    expect(stderr).toContain('does not accept this token');
    expect(stderr).not.toContain('the-wrong-token');
  });

  it('notices a server that is not pool-managerd', async () => {
    const { url } = await daemonWith({ 'GET /v2/pools': { body: ['something'] }, 'GET /v2/gpus': { status: 500, body: 'oops' } });
    expect(await runCommand(['pools', '--url', url])).toMatchObject({ exitCode: 1, stderr: expect.stringContaining('is this pool-managerd') });
    expect(await runCommand(['gpus', '--url', url])).toMatchObject({ exitCode: 1, stderr: expect.stringContaining('answered 500') });
  });

  it.each([
    [['fly']],
    [['start']],
    [['pools', '--wings']],
    [['pools', '--url', 'nowhere']],
    [['drain', 'pool-0', '--deadline', 'soon']],
    [['drain', 'pool-0', '--deadline', '10']],
    [['start', 'pool-0', '--wait', '--timeout', '600']],
    [['logs', 'pool-0', '--tail', '-1']],
    [['pools', '--token-file', '/no/such/file']],
    [[]],
  ])('ends with 64 for the command line %j', async (args) => {
    const { exitCode, stderr } = await runCommand(args);
    expect(exitCode).toBe(64);
    expect(stderr).not.toBe('');
  });
});

describe('the connection', () => {
  const bearer = (daemon: CannedDaemon) => daemon.requests.at(-1)?.headers.authorization;

  it('takes the token from a file, the environment, or a file named there', async () => {
    const daemon = await daemonWith();
    const file = join(mkdtempSync(join(tmpdir(), 'pm-token-')), 'token');
    writeFileSync(file, 'from-a-file\n');
    await runCommand(['pools', '--url', daemon.url, '--token-file', file], { env: { LLORCH_API_TOKEN: 'from-env' } });
    expect(bearer(daemon)).toBe('Bearer from-a-file');
    await runCommand(['pools', '--url', daemon.url], { env: { LLORCH_API_TOKEN: 'from-env', LLORCH_API_TOKEN_FILE: file } });
    expect(bearer(daemon)).toBe('Bearer from-env');
    await runCommand(['pools', '--url', daemon.url], { env: { LLORCH_API_TOKEN_FILE: file } });
    expect(bearer(daemon)).toBe('Bearer from-a-file');
    await runCommand(['pools', '--url', daemon.url]);
    expect(bearer(daemon)).toBeUndefined();
  });

  it('goes where the daemon of this environment listens, wildcards over loopback', async () => {
    const daemon = await daemonWith();
    const port = new URL(daemon.url).port;
    for (const address of [`127.0.0.1:${port}`, `0.0.0.0:${port}`]) {
      expect((await runCommand(['pools'], { env: { POOL_MANAGERD_BIND_ADDR: address } })).exitCode).toBe(0);
    }
  });

  it('shows no token to the network in the clear', async () => {
    const env = { LLORCH_API_TOKEN: 'a-token' };
    expect(await runCommand(['pools', '--url', 'http://192.0.2.1:9200'], { env })).toMatchObject({
      exitCode: 64,
      stderr: expect.stringContaining('--allow-plain-http'),
    });
  });
});

describe('without a daemon', () => {
  it('checks a pools file, one line per mistake (78)', async () => {
    const config = {
      check: async () => ['pools[0].id: expected an id, found ""', 'pools[1].devices: missing'],
      schema: () => ({ type: 'object' }),
      example: () => 'pools: []',
    };
    expect(await runCommand(['config', 'check', 'pools.yaml'], { config })).toEqual({
      exitCode: 78,
      stdout: '',
      stderr: 'pools[0].id: expected an id, found ""\npools[1].devices: missing\n',
    });
    expect(await runCommand(['config', 'check', 'pools.yaml'])).toEqual({ exitCode: 0, stdout: 'ok\n', stderr: '' });
    expect(JSON.parse((await runCommand(['config', 'schema'], { config })).stdout)).toEqual({ type: 'object' });
    expect((await runCommand(['config', 'example'], { config })).stdout).toBe('pools: []\n');
    const unreadable = { ...config, check: () => Promise.reject(new Error('ENOENT: no such file')) };
    expect(await runCommand(['config', 'check', 'x.yaml'], { config: unreadable })).toMatchObject({
      exitCode: 78,
      stderr: expect.stringContaining('x.yaml: cannot be read'),
    });
  });

  describe('config check without a file', () => {
    const checked: string[] = [];
    const check = async (file: string) => {
      checked.push(file);
      return [];
    };
    const config = { check, schema: () => ({}), example: () => '' };
    let dir: string;
    beforeEach(() => {
      checked.length = 0;
      dir = realpathSync(mkdtempSync(join(tmpdir(), 'pm-check-')));
      const before = process.cwd();
      process.chdir(dir);
      return () => {
        process.chdir(before);
        rmSync(dir, { recursive: true });
      };
    });

    it('checks the one that POOL_MANAGERD_CONFIG names, and says which it was', async () => {
      const env = { POOL_MANAGERD_CONFIG: 'mine.yaml', HOME: '/root' };
      const file = join(dir, 'mine.yaml');
      writeFileSync(file, '');
      expect(await runCommand(['config', 'check'], { config, env })).toEqual({ exitCode: 0, stdout: `${file}: ok\n`, stderr: '' });
      expect(checked).toEqual([file]);
    });

    it('checks pools.yaml of this folder where none is named', async () => {
      writeFileSync(join(dir, 'pools.yaml'), '');
      expect((await runCommand(['config', 'check'], { config })).exitCode).toBe(0);
      expect(checked).toEqual([join(dir, 'pools.yaml')]);
    });

    it('says what to do where there is none (78)', async () => {
      expect(await runCommand(['config', 'check'], { config })).toEqual({
        exitCode: 78,
        stdout: '',
        stderr: `${join(dir, 'pools.yaml')}: expected a pools file, found none; name it, in POOL_MANAGERD_CONFIG or as FILE, or have one written by "pool-managerd config example"\n`,
      });
      expect(checked).toEqual([]);
    });

    it('says what is wrong with a variable that names none (78)', async () => {
      const { exitCode, stderr } = await runCommand(['config', 'check'], { config, env: { POOL_MANAGERD_CONFIG: 'a\u0000b' } });
      expect([exitCode, stderr]).toEqual([78, expect.stringContaining('POOL_MANAGERD_CONFIG: expected')]);
      expect(checked).toEqual([]);
    });
  });

  it('hands serve and demo on, with their exit codes', async () => {
    const given: (readonly string[])[] = [];
    expect((await runCommand(['serve'], { runServe: async () => 75 })).exitCode).toBe(75);
    const runDemo = async ({ args }: { readonly args: readonly string[] }) => {
      given.push(args);
      return 3;
    };
    expect((await runCommand(['demo', '--port', '0', 'x'], { runDemo })).exitCode).toBe(3);
    expect(given).toEqual([['--port', '0', 'x']]);
  });

  it('explains itself, with examples and exit codes', async () => {
    const { exitCode, stdout } = await runCommand(['--help']);
    expect(exitCode).toBe(0);
    for (const word of ['serve', 'demo', 'status', 'start', 'drain', 'logs', 'events', 'config', 'Examples:', 'Exit codes:'])
      expect(stdout).toContain(word);
    expect((await runCommand(['drain', '--help'])).stdout).toContain('--deadline');
    expect((await runCommand(['--version'])).stdout).toBe('0.1.0\n');
  });

  it('calls an unexpected failure a bug (70)', async () => {
    expect(await runCommand(['serve'], { runServe: () => Promise.reject(new Error('boom')) })).toMatchObject({
      exitCode: 70,
      stderr: expect.stringContaining('boom'),
    });
  });
});
