/** The API token of a running daemon: used, named by its fingerprint, and shown and written nowhere. */
import { createHash } from 'node:crypto';
import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { startOrchestratorStandIn } from '../../src/demo/orchestrator-stand-in.ts';
import { daemonHouse, filesWith, patient } from '../kit/daemon.ts';
import { asking } from '../kit/daemon-api.ts';

const part = 'canary-0123456789';
const token = `${part}-${part}`;
const fingerprint = createHash('sha256').update(token).digest('hex').slice(0, 6);

it('is in the log as a fingerprint, at the start and with each request it let in, and in no file at all (S3)', patient, async (t) => {
  const house = await daemonHouse(t, { LLORCH_API_TOKEN: token });
  await house.declare([house.stub('pool-0')]);
  const daemon = await house.start();
  await daemon.ready('pool-0');
  expect((await daemon.ask('POST', '/v2/pools/pool-0/drain')).status).toBe(202);
  expect((await fetch(`${daemon.url}/v2/pools`)).status).toBe(401);
  const ordered = await asking('the access line', () => daemon.log().find(({ method }) => method === 'POST'));
  expect(ordered).toMatchObject({ path: '/v2/pools/pool-0/drain', identity: fingerprint });
  expect(daemon.log().find(({ msg }) => msg === 'listening')).toMatchObject({ identity: fingerprint });
  expect(await asking('the refusal', () => daemon.log().find(({ status }) => status === 401))).toMatchObject({ identity: null });
  await daemon.end();
  expect(filesWith(house.dir, 'pool-0').length).toBeGreaterThan(5);
  expect(filesWith(house.dir, part)).toEqual([]);
});

it('is another one once its file says so, and stays while the file is bad; both are told, also while nobody asks', patient, async (t) => {
  const house = await daemonHouse(t);
  const file = join(house.dir, 'token');
  const write = (text: string): void => {
    writeFileSync(`${file}.new`, text, { mode: 0o600 });
    renameSync(`${file}.new`, file);
  };
  write(token);
  await house.declare([]);
  const daemon = await house.start({ LLORCH_API_TOKEN_FILE: file });
  write('has blanks in it');
  await asking('the mistake', () => daemon.log().find(({ level, msg }) => level === 'warn' && /token.*stays in force/.test(String(msg))), 30_000);
  expect((await fetch(`${daemon.url}/v2/pools`, { headers: { authorization: `Bearer ${token}` } })).status).toBe(200);
  write(`${token}-next`);
  const changed = await asking('the change', () => daemon.log().find(({ msg }) => /the token is another one/.test(String(msg))), 30_000);
  expect(changed).toMatchObject({ level: 'info', identity: createHash('sha256').update(`${token}-next`).digest('hex').slice(0, 6) });
  expect((await fetch(`${daemon.url}/v2/pools`, { headers: { authorization: `Bearer ${token}` } })).status).toBe(401);
});

it('is in no answer, no argument and no environment of another process, also where everything goes wrong (S1, S2, S3, S30)', patient, async (t) => {
  const orchestrator = await startOrchestratorStandIn({ token: 'another-token-0123456789' });
  t.onTestFinished(() => orchestrator.close());
  const house = await daemonHouse(t, { LLORCH_API_TOKEN: token, ORCHESTRATORD_URL: orchestrator.url, POOL_MANAGERD_LOG_LEVEL: 'trace' });
  await house.declare([house.stub('pool-0'), house.stub('broken', { flags: ['--no-such-flag'] })]);
  const daemon = await house.start();
  await daemon.ready('pool-0');
  await daemon.sees('broken', 'failed', ({ substate }) => substate === 'failed');
  const engine = house.run('pool-0')?.pid;
  for (const file of ['environ', 'cmdline']) expect(readFileSync(`/proc/${engine}/${file}`, 'latin1'), file).not.toContain(part);
  expect(readFileSync(`/proc/${daemon.pid}/cmdline`, 'latin1')).not.toContain(part);

  const headers = { authorization: `Bearer ${token}` };
  const wrong = { authorization: `Bearer ${token}x` };
  const reads = [
    'health',
    'ready',
    'metrics',
    'openapi.json',
    'v2/pools',
    'v2/node',
    'v2/gpus',
    'v2/pools/pool-0/events',
    'v2/pools/pool-0/logs',
    'v2/nothing',
  ];
  const answers = await Promise.all([
    ...reads.map((path) => fetch(`${daemon.url}/${path}?token=${token}`, { headers })),
    ...reads.map((path) => fetch(`${daemon.url}/${path}`, { headers: wrong })),
    fetch(`${daemon.url}/v2/nodes/register`, { method: 'POST', headers }),
    fetch(`${daemon.url}/v2/pools`, { method: 'POST', headers: { ...headers, 'content-type': 'application/json' }, body: '{"id":' }),
    fetch(`${daemon.url}/v2/pools/${token}/status`, { headers }),
  ]);
  expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([200, 400, 401, 404, 502]));
  for (const answer of answers.slice(0, -1)) {
    expect(await answer.text(), answer.url).not.toContain(part);
    expect(JSON.stringify([...answer.headers]), answer.url).not.toContain(part);
  }
  await asking('orchestratord to have refused the token', () => orchestrator.requests().some(({ authorized }) => !authorized));
  daemon.signal('SIGHUP');
  await daemon.end();
  expect(filesWith(house.dir, part)).toEqual([]);
});
