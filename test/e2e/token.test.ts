/** The API token of a running daemon: used, named by its fingerprint, and written nowhere. */
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { daemonHouse, patient } from '../kit/daemon.ts';
import { asking } from '../kit/daemon-api.ts';

const part = 'canary-0123456789';
const token = `${part}-${part}`;
const fingerprint = createHash('sha256').update(token).digest('hex').slice(0, 6);

it('is in the log as a fingerprint, at the start and with each request it let in, and in no file at all', patient, async (t) => {
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
  const files = readdirSync(house.dir, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map(({ parentPath, name }) => join(parentPath, name));
  expect(files.length).toBeGreaterThan(5);
  expect(files.filter((file) => readFileSync(file).includes(part))).toEqual([]);
});
